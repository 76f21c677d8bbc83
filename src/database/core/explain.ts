/** Sums up the evidence of several incidents. */
import type { DatabaseCpuEvidence } from './cpu-incidents.ts';

export interface StatementTotal {
  readonly statement: string;
  readonly seen: number;
  readonly seconds: number;
}

/** Returns the statements, the one that took most first. */
export function statementTotals(
  items: readonly DatabaseCpuEvidence[],
  max: number,
): readonly StatementTotal[] {
  const totals = new Map<string, StatementTotal>();
  for (const { statement, seen, statementSeconds } of items) {
    if (statement === '') continue;
    const before = totals.get(statement) ?? { statement, seen: 0, seconds: 0 };
    totals.set(statement, {
      statement,
      seen: before.seen + seen,
      seconds: before.seconds + statementSeconds,
    });
  }
  return [...totals.values()].toSorted((a, b) => b.seconds - a.seconds).slice(0, max);
}
