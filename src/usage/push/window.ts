/** The parts of the history that are pushed to other servers. */
import type { MetricKey } from '../metrics.ts';

/** The length of a window. Windows begin at its multiples. */
export const windowMilliseconds = 5 * 60_000;
export const minutesInWindow = 5;

/** The metrics that are pushed of each member, as far as a host can measure them. */
export const pushedMetrics = [
  'cpu',
  'throttled',
  'memory',
  'read',
  'write',
  'processes',
  'sent',
  'received',
] as const satisfies readonly MetricKey[];
export type PushedMetric = (typeof pushedMetrics)[number];
