/** Answers that cannot be true: a host speaks for itself, and one that lies must not be the first of all lists. */
import type { RoomReport, RoomResource } from '../room.ts';
import type { Answer } from './answer.ts';
import type { AskedMetric } from './question.ts';

/** Metrics of which all tenants together cannot use more than the host has. */
const resourceOf: Readonly<Partial<Record<AskedMetric, RoomResource>>> = {
  cpu: 'cpu',
  memory: 'memory',
  anonymous: 'memory',
};
/** Clocks and counters are not exact. */
const excess = 1.1;

/** Returns why no host like this one can have used that much; undefined: it can, or what it has is unknown. */
export function whyImpossible(
  { rows }: Answer,
  room: RoomReport | null | undefined,
): string | undefined {
  for (const [metric, resource] of Object.entries(resourceOf)) {
    const has = room?.[resource].has ?? null;
    const uses = rows.flatMap(({ use }) => use.filter((each) => each.metric === metric));
    const sum = uses.reduce((all, { average }) => all + average, 0);
    if (has !== null && sum > excess * has)
      return `its answer is not believable: its tenants would have used ${(sum / has).toFixed(1)} times the ${resource === 'cpu' ? 'CPU' : 'memory'} that it has`;
  }
  return undefined;
}

/** A host whose answer had no space for all that was asked. */
export interface CutAnswer {
  /** The host. */
  readonly host: string;
  /** The number of missing tenants; they used the least on this host. */
  readonly missing: number;
}

/** Returns the hosts whose answers lack tenants that were asked for. */
export const cutAnswers = (answers: readonly Answer[], count: number): readonly CutAnswer[] =>
  answers
    .map(({ host, busy, rows }) => ({ host, missing: Math.min(count, busy) - rows.length }))
    .filter(({ missing }) => missing > 0)
    .sort((one, other) => (one.host < other.host ? -1 : 1));
