/**
 * What a tenant may still use of a database server: CPU time that fills up at its limit, and that its statements use up.
 * Below zero it owes, and its clients pause until it does not.
 *
 *     limit 20 %, 1 s elapsed, 1.5 s used        0.5 s + 0.2 s − 1.5 s = −0.8 s: 4 s of pause
 *
 * All in microseconds of CPU time. Time is what has elapsed between two looks, never a number of looks: a busy host
 * looks late.
 */

export interface CpuUse {
  /** Since the last look. Negative if that had charged too much; undefined if it could not be established. */
  readonly usedMicroseconds: number | undefined;
  readonly elapsedMicroseconds: number;
  /** The limit: 1 is one core. */
  readonly limitFraction: number;
  /** What the longest of its statements that still run has used so far. */
  readonly statementMicroseconds?: number;
}

export const savedMicrosecondsMax = 500_000;
export const debtMicrosecondsMax = 5_000_000;
/** One statement can run on while its client is frozen; what ends it is the limit on statements. */
export const statementDebtMicrosecondsMax = 10_000_000;

/** Returns the balance after a look. */
export function charge(balance: number, use: CpuUse): number {
  const { limitFraction, usedMicroseconds, elapsedMicroseconds, statementMicroseconds } = use;
  const next =
    balance + known(elapsedMicroseconds, 0) * limitFraction - known(usedMicroseconds, -Infinity);
  return Math.min(savedMicrosecondsMax, Math.max(next, lowest(balance, statementMicroseconds)));
}

/** Nothing is charged, and no time counts, that a broken clock or counter reports. */
const known = (value: number | undefined, min: number) =>
  value === undefined || !Number.isFinite(value) ? 0 : Math.max(value, min);

/** Debt that is there already is not forgiven when the statement that made it has ended. */
const lowest = (balance: number, statement = 0) =>
  Math.min(
    balance,
    -Math.min(statementDebtMicrosecondsMax, Math.max(debtMicrosecondsMax, known(statement, 0))),
  );
