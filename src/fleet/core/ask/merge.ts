/** One list of the tenants that used the most, from the lists of all hosts: each has its own largest ones, so none is missing. */
import type { Answer, AnsweredUse } from './answer.ts';
import type { AskedMetric } from './question.ts';

export interface FleetTopRow {
  /** The host. */
  readonly host: string;
  /** The uid on that host: `u1001`. */
  readonly member: string;
  /** The name of the tenant. */
  readonly name: string;
  /** The package; null: it has none. */
  readonly package: string | null;
  /** The use. */
  readonly use: AnsweredUse;
}

export function mergedTop(
  answers: readonly Answer[],
  metric: AskedMetric,
  count: number,
): readonly FleetTopRow[] {
  const rows = answers.flatMap(({ host, rows: found }) =>
    found.flatMap(({ use, ...row }): readonly FleetTopRow[] => {
      const own = use.find((each) => each.metric === metric);
      return own === undefined ? [] : [{ host, ...row, use: own }];
    }),
  );
  return rows.sort((one, other) => other.use.average - one.use.average).slice(0, count);
}
