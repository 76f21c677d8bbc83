/** The period of the charts: `?period=24h`, or `?from=2026-11-24T12:00Z&to=2026-11-24T14:00Z`. */
import { computed } from '@preact/signals';
import { queryOf } from './route.ts';
import { frame } from './stream.ts';

const hour = 3_600_000;
const lengths = {
  '24h': 24 * hour,
  '1h': hour,
  '6h': 6 * hour,
  '7d': 7 * 24 * hour,
  '30d': 30 * 24 * hour,
  '400d': 400 * 24 * hour,
} as const;
export type PeriodKey = keyof typeof lengths;
/** The keys in the order of their length. */
export const periodKeys: readonly PeriodKey[] = ['1h', '6h', '24h', '7d', '30d', '400d'];
const usual: PeriodKey = '24h';

export interface Period {
  /** Absent if it is from one moment to another. */
  readonly key?: PeriodKey;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** The end for what happened: what happened just now counts, although its minute is not over. */
  readonly until: number;
}

const lengthMin = 60_000;
const lengthMax = lengths['400d'];

/** The minute of the last tick: what reads it is drawn again when it changes, and not at each tick. */
const minute = computed(() => Math.floor((frame.value?.at ?? Date.now()) / lengthMin) * lengthMin);

/** Returns the period in the address. Its end moves in steps, so that the same question has one answer. */
export const currentPeriod = (): Period => periodOf(minute.value);

export function periodOf(now: number): Period {
  const [from, to] = [momentOf(queryOf('from')), momentOf(queryOf('to'))];
  if (from !== undefined && to !== undefined && to - from >= lengthMin && to - from <= lengthMax)
    return { from, to, until: to };
  const key = periodKeys.find((each) => each === queryOf('period')) ?? usual;
  const step = lengths[key] > lengths['24h'] ? 10 * 60_000 : 60_000;
  const end = Math.floor(now / step) * step;
  const until = (Math.floor(now / lengthMin) + 1) * lengthMin;
  return { key, from: end - lengths[key], to: end, until };
}

function momentOf(text: string): number | undefined {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : at;
}

/** Returns a moment as the address has it, in whole seconds. */
export const momentText = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;

export const queryForPeriod = (key: PeriodKey) => ({
  period: key === usual ? undefined : key,
  from: undefined,
  to: undefined,
});

export const queryForMoments = (from: number, to: number) => ({
  period: undefined,
  from: momentText(from),
  to: momentText(to),
});

/** Returns the options of the command that shows the same. It reads times in the host's time zone, which date knows. */
export const periodOptions = ({ key, from, to }: Period): string =>
  key === undefined ? `--from "${hostTime(from)}" --to "${hostTime(to)}"` : `--period ${key}`;

const hostTime = (at: number) => `$(date -d @${Math.floor(at / 1000)} '+%F %T')`;
