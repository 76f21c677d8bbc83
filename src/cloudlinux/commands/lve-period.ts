/**
 * Periods as lveinfo takes them: `5m`, `4h`, `2d`, `1h30m`, `today`, `yesterday`, and moments as
 * `2026-01-31` or `26-01-31 18:30` in local time.
 */
import type { PeriodPartName } from '../../store/events/event-store.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  namedDay,
  parseDate,
  parseLength as parseUnits,
  type Period,
  type PeriodOptions,
} from '../../cli/shared/period.ts';

const defaultMilliseconds = 10 * 60_000;
/** Far more than history holds, and exact as a number. */
const millisecondsMax = 100 * 365 * 86_400_000;

type LvePeriodOptions = Partial<PeriodOptions>;

/**
 * Parses a period: the last ten minutes by default; a period takes precedence over `from` and `to`.
 */
export function parseLvePeriod(
  { from, to, period }: LvePeriodOptions,
  now: number,
): Result<Period, Problem> {
  if (period !== undefined) return namedPeriod(period, now);
  const end = to === undefined ? ok(now) : parseDate(to);
  if (!end.ok) return end;
  const begin = from === undefined ? ok(end.value - defaultMilliseconds) : parseDate(from);
  if (!begin.ok) return begin;
  if (from !== undefined && begin.value >= end.value)
    return failed({ action: 'begin at', object: from, reason: `it is not before ${to ?? 'now'}` });
  return ok({ from: begin.value, to: end.value });
}

function namedPeriod(word: string, now: number): Result<Period, Problem> {
  const day = namedDay(word, now);
  if (day !== undefined) return ok(day);
  const length = parseLveLength(word);
  return length.ok ? ok({ from: now - length.value, to: now }) : length;
}

/** Returns the milliseconds of `5m`, `1h30m`; a bare number is minutes. */
export function parseLveLength(text: string): Result<number, Problem> {
  const length = parseUnits(text.toLowerCase().replace(/\d$/, '$&m'));
  if (length !== undefined && length <= millisecondsMax) return ok(length);
  return failed({
    action: 'use the period',
    object: text,
    reason: 'that is not a period',
    hint: 'write for example "5m", "4h", "2d", "today"',
  });
}

/** Formats a time as in the columns From and To: `01-31 18:30`. */
export function shortMoment(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export interface PeriodSlice extends Period {
  /** Absent if it is the only one. */
  readonly part?: PeriodPartName;
}

/** Divides a period into equal parts, the last of which may be shorter. */
export function periodSlices({ from, to }: Period, length: number): readonly PeriodSlice[] {
  const count = Math.ceil((to - from) / length);
  if (count === 1) return [{ from, to }];
  return Array.from({ length: count }, (_, index) => ({
    from: from + index * length,
    to: Math.min(to, from + (index + 1) * length),
    part: index === 0 ? 'first' : index === count - 1 ? 'last' : 'middle',
  }));
}
