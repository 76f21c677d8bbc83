/**
 * Periods of the command line, as milliseconds since 1970.
 *
 *     --period 10m | 4h | 2d | 1w | today | yesterday
 *     --from '2026-11-24 08:00' --to 2026-11-25
 *
 * Dates are local time; a date without a time means its midnight.
 */
import type { Command } from 'commander';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';

export interface Period {
  readonly from: number;
  readonly to: number;
}

export interface PeriodOptions {
  readonly period: string;
  readonly from?: string;
  readonly to?: string;
}

const unitMilliseconds: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};
/** Longer than any history is kept. */
const millisecondsMax = 10 * 366 * 86_400_000;

export function withPeriodOptions(command: Command, defaultPeriod: string): Command {
  return command
    .option('--period <period>', '10m, 4h, 2d, 1w, today or yesterday', defaultPeriod)
    .option('--from <date>', 'start at YYYY-MM-DD[ HH:MM[:SS]], local time, instead')
    .option('--to <date>', 'end at this date; default: now');
}

/**
 * Parses a period. `--from` and `--to` take precedence over `--period`; `--to` without `--from`
 * ends the period there.
 */
export function parsePeriod(options: PeriodOptions, now: number): Result<Period, Problem> {
  const { period, from, to } = options;
  const end = to === undefined ? ok(now) : parseDate(to);
  if (!end.ok) return end;
  if (from === undefined) return periodBefore(period, end.value, to === undefined);
  const begin = parseDate(from);
  if (!begin.ok) return begin;
  if (begin.value >= end.value)
    return failed({ action: 'begin at', object: from, reason: `it is not before ${to ?? 'now'}` });
  return within({ from: begin.value, to: end.value });
}

function periodBefore(text: string, end: number, endsNow: boolean): Result<Period, Problem> {
  const day = endsNow ? namedDay(text, end) : undefined;
  if (day !== undefined) return ok(day);
  const milliseconds = parseLength(text);
  if (milliseconds === undefined)
    return failed({
      action: 'use the period',
      object: text,
      reason: 'that is not a period',
      hint: 'use for example 10m, 4h, 2d, today or yesterday',
    });
  return within({ from: end - milliseconds, to: end });
}

/** Returns the milliseconds of `10m`, `1h30m`; an empty text is not a length. */
export function parseLength(text: string): number | undefined {
  if (!/^(\d{1,7}[smhdw])+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)([smhdw])/g)];
  const length = parts.reduce(
    (sum, [, number, unit = '']) => sum + Number(number) * (unitMilliseconds[unit] ?? 0),
    0,
  );
  return length > 0 ? length : undefined;
}

/** Returns the day up to `now`, or the one before it. */
export function namedDay(word: string, now: number): Period | undefined {
  if (word === 'today') return { from: midnight(now, 0), to: now };
  if (word === 'yesterday') return { from: midnight(now, -1), to: midnight(now, 0) };
  return undefined;
}

function within(period: Period): Result<Period, Problem> {
  return period.to - period.from > millisecondsMax
    ? failed({
        action: 'use the period',
        reason: 'it is too long',
        hint: 'the maximum is ten years',
      })
    : ok(period);
}

/**
 * Returns midnight of the day `days` after the day of `at`. It follows the calendar, not 24 hours,
 * since clocks are changed.
 */
function midnight(at: number, days: number): number {
  const date = new Date(at);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

const datePattern = /^(\d{2}|\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?$/;

/** Parses a date; years of two digits are in this century. */
export function parseDate(text: string): Result<number, Problem> {
  const match = datePattern.exec(text.trim());
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] =
    match?.slice(1).map((each) => Number(each ?? 0)) ?? [];
  const date = new Date(year < 100 ? year + 2000 : year, month - 1, day, hour, minute, second);
  // Date takes the 31st of February for the 3rd of March.
  const meant = date.getMonth() === month - 1 && date.getDate() === day;
  if (match === null || !meant || hour > 23 || minute > 59 || second > 59)
    return failed({
      action: 'use the date',
      object: text,
      reason: 'that is not a date',
      hint: 'use for example 2026-11-24 or "2026-11-24 08:30"',
    });
  return ok(date.getTime());
}
