/** Durations as the policy writes them: a number and a unit. */
import type { Cause } from './problem.ts';
import { fail, ok, type Result } from './result.ts';

/** The seconds of each unit, by its first letter. */
const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

export const durationForm = 'a number with one of s min h days';
export const durationPattern = String.raw`\d+(\.\d+)?\s?(s|seconds?|min|minutes?|h|hours?|days?)`;
const secondsMax = 36_500 * 86_400;

/** Parses a duration into milliseconds. */
export function parseDuration(text: string): Result<number, Cause> {
  const [, , unit] = new RegExp(`^${durationPattern}$`).exec(text) ?? [];
  const scale = seconds[unit?.[0] ?? ''];
  if (scale === undefined) {
    const hint = /^\d+$/.test(text)
      ? `write for example "${text}s" or "${text} days"`
      : `write ${durationForm}`;
    return fail({ reason: `"${text}" is not a duration`, hint });
  }
  const value = Number.parseFloat(text) * scale;
  if (value > secondsMax) return fail({ reason: `"${text}" is longer than a hundred years` });
  return ok(Math.round(value * 1000));
}

/** Formats a duration in the largest unit that is exact: `12h`, `2 days`. */
export function formatDuration(milliseconds: number): string {
  const value = milliseconds / 1000;
  if (value > 0 && value % 86_400 === 0)
    return `${value / 86_400} ${value === 86_400 ? 'day' : 'days'}`;
  if (value > 0 && value % 3600 === 0) return `${value / 3600}h`;
  if (value > 0 && value % 60 === 0) return `${value / 60}min`;
  return `${value}s`;
}
