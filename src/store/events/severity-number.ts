/** The numbers of severities in the store: the worse the higher. Numbers of older files never change. */
import type { Severity } from '../../limits/limit.ts';

const numbers: Readonly<Record<Severity, number>> = {
  observed: -1,
  throttled: 0,
  refused: 1,
  killed: 2,
};
const bySeverity = Object.entries(numbers) as readonly (readonly [Severity, number])[];

export const severityNumber = (severity: Severity): number => numbers[severity];

/** Returns the severity; a number of a newer version is taken for `throttled`. */
export const severityOf = (stored: unknown): Severity =>
  bySeverity.find(([, number]) => number === stored)?.[0] ?? 'throttled';
