/**
 * The CPU time of a database server that a tenant may still use: it fills up at the limit, and statements use it up.
 * Below zero it owes, and its clients pause until it does not.
 *
 *     limit 20 %, 1 s elapsed, 1.5 s used        0.5 s + 0.2 s − 1.5 s = −0.8 s: 4 s of pause
 *
 * All in microseconds of CPU time. Time is what has elapsed between two samples, never a number of samples: on a busy
 * host they come late.
 */

export interface CpuUse {
  /** The CPU time since the sample before. Negative if that had charged too much; undefined if it is not known. */
  readonly usedMicroseconds: number | undefined;
  readonly elapsedMicroseconds: number;
  /** The limit: 1 is one core. */
  readonly limitFraction: number;
  /** The CPU time so far of its longest statement that still runs. */
  readonly statementMicroseconds?: number;
  /** The use by time, 1 is one core, of several servers that are looked at at different times. */
  readonly rate?: number;
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
