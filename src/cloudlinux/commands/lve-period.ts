/**
 * Periods as lveinfo takes them: `5m`, `4h`, `2d`, `1h30m`, `today`, `yesterday`, and moments as
 * `2026-01-31` or `26-01-31 18:30` in local time.
 */
import { fail, ok, type Result } from '../../base/result.ts';

/** Milliseconds since 1970. */
export interface LvePeriod {
  readonly from: number;
  readonly to: number;
}

const minute = 60_000;
const unitMilliseconds: Readonly<Record<string, number>> = {
  m: minute,
  h: 60 * minute,
  d: 24 * 60 * minute,
};
const defaultMilliseconds = 10 * minute;
/** Far more than history holds, and exact as a number. */
const millisecondsMax = 100 * 365 * 24 * 60 * minute;

export interface PeriodOptions {
  readonly from?: string;
  readonly to?: string;
  readonly period?: string;
}

/** The last ten minutes where nothing is said; a period outdoes `from` and `to`. */
export function parsePeriod({ from, to, period }: PeriodOptions, now: number): Result<LvePeriod> {
  if (period !== undefined) return namedPeriod(period, now);
  const end = to === undefined ? ok(now) : parseMoment(to);
  if (!end.ok) return end;
  const begin = from === undefined ? ok(end.value - defaultMilliseconds) : parseMoment(from);
  if (!begin.ok) return begin;
  if (begin.value >= end.value) return fail(`The period ends before it begins ("${from ?? to}")`);
  return ok({ from: begin.value, to: end.value });
}

function namedPeriod(word: string, now: number): Result<LvePeriod> {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (word === 'today') return ok({ from: midnight, to: now });
  if (word === 'yesterday') {
    // By the calendar: the day on which clocks change is not 24 hours long.
    const before = new Date(midnight);
    before.setDate(before.getDate() - 1);
    return ok({ from: before.getTime(), to: midnight });
  }
  const length = parseLength(word);
  return length.ok ? ok({ from: now - length.value, to: now }) : length;
}

/** Milliseconds of `5m`, `1h30m`; a bare number is minutes. */
export function parseLength(text: string): Result<number> {
  const parts = [...text.toLowerCase().matchAll(/(\d{1,7})([mhd]?)/gy)];
  const matched = parts.map(([whole]) => whole).join('');
  const length = parts.reduce(
    (sum, [, number, unit = '']) => sum + Number(number) * (unitMilliseconds[unit] ?? minute),
    0,
  );
  if (matched !== text.toLowerCase() || length <= 0 || length > millisecondsMax) {
    return fail(`"${text}" is no period; write for example "5m", "4h", "2d", "today"`);
  }
  return ok(length);
}

function parseMoment(text: string): Result<number> {
  const match = /^(\d{2}|\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{2}))?$/.exec(text.trim());
  const [year = NaN, month = NaN, day = NaN, hours = 0, minutes = 0] = (match ?? [])
    .slice(1)
    .map((part) => (part === undefined ? 0 : Number(part)));
  const date = new Date(year < 100 ? year + 2000 : year, month - 1, day, hours, minutes);
  const isReal = date.getMonth() === month - 1 && date.getDate() === day;
  if (isReal && hours < 24 && minutes < 60) return ok(date.getTime());
  return fail(`"${text}" is no date; write for example "2026-01-31" or "2026-01-31 18:30"`);
}

/** `01-31 18:30`, as in the columns From and To. */
export function shortMoment(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Equal parts of a period, the last of which may be shorter. */
export function slicesOf({ from, to }: LvePeriod, length: number): readonly LvePeriod[] {
  const count = Math.ceil((to - from) / length);
  return Array.from({ length: count }, (_, index) => ({
    from: from + index * length,
    to: Math.min(to, from + (index + 1) * length),
  }));
}
