/**
 * Quantities for tables: short, at most three or four digits, always with their unit.
 *
 *     150%   1.25GiB   20.4MiB/s   1.2k/s   3m12s   2026-11-24 18:30:05
 */
import type { MailCount, SentByWeb } from '../../agent/api/usage-api.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { attributes } from '../../limits/limits.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { count } from '../../../packages/base/list.ts';
import type { MetricUnit } from '../../usage/metrics.ts';

/** Formats a share as a percentage: 1 is 100%. For CPU, 1 is one core. */
export function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return '0%';
  if (value < 0.05) return '<0.1%';
  return `${value.toFixed(value < 99.95 ? 1 : 0)}%`;
}

export const bytesRate = (bytes: number) => (bytes < 0.5 ? '0' : `${shortBytes(bytes)}/s`);

/** Formats a count: `950`, `1.2k`, `45k`, `3.1M`. */
export function shortCount(count: number): string {
  if (count < 999.5) return String(Math.round(count));
  const [value, unit] = count < 999_500 ? [count / 1e3, 'k'] : [count / 1e6, 'M'];
  return `${value < 9.95 ? value.toFixed(1) : value.toFixed(0)}${unit}`;
}

const rate = (perSecond: number) => (perSecond < 0.05 ? '0' : `${smallCount(perSecond)}/s`);

/** Averages of small numbers need decimals. */
const smallCount = (value: number) =>
  value < 9.95 && !Number.isInteger(value) ? value.toFixed(1) : shortCount(value);

const printers: Readonly<Record<MetricUnit, (value: number) => string>> = {
  fraction: percent,
  bytes: shortBytes,
  bytesPerSecond: bytesRate,
  perSecond: rate,
  count: smallCount,
};

/** Formats a value with its unit; a dash if it was not measured, which is null in JSON. */
export function quantity(unit: MetricUnit, value: number | null | undefined): string {
  return value === undefined || value === null || !Number.isFinite(value)
    ? '-'
    : printers[unit](Math.max(0, value));
}

const parts = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'm'],
  [1, 's'],
] as const;

/** Formats the two largest parts: `45s`, `3m12s`, `2h05m`, `12d03h`. Below ten seconds, tenths. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds <= 0) return '0s';
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))}s`;
  const whole = Math.round(seconds);
  const at = parts.findIndex(([size]) => whole >= size);
  const [size, unit] = parts[at] ?? [1, 's'];
  const first = `${Math.floor(whole / size)}${unit}`;
  const next = parts[at + 1];
  if (next === undefined) return first;
  const rest = Math.floor((whole % size) / next[0]);
  return rest === 0 ? first : `${first}${String(rest).padStart(2, '0')}${next[1]}`;
}

const two = (number: number) => String(number).padStart(2, '0');

/** Formats a time: `18:30:05`, local time. */
export function clock(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Formats a date: `2026-11-24 18:30:05`, local time. */
export function dateTime(at: number): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(at)}`;
}

/** Formats a time for machines: `2026-11-24T17:30:05.000Z`; empty if it is out of range. */
export function isoTime(at: number): string {
  return Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : '';
}

/** Shortens `cpu.limit` to `cpu`, as `set` takes it. */
export const shortLimit = (key: LimitKey) => key.replace(/\.limit$/, '');

type LimitCounts = Readonly<Partial<Record<LimitKey, number>>>;

export const sumOfCounts = (counts: LimitCounts) =>
  Object.values(counts).reduce<number>((sum, each) => sum + (each ?? 0), 0);

/** Formats counts, most first: `cpu 12, memory 3`. */
export function countsText(counts: LimitCounts): string {
  return Object.entries(counts)
    .filter(([, count]) => (count ?? 0) > 0)
    .sort(([, a], [, b]) => (b ?? 0) - (a ?? 0))
    .map(([key, count]) => `${shortLimit(key as LimitKey)} ${shortCount(count ?? 0)}`)
    .join(', ');
}

/** Returns every limit of the table, in its order. */
export const limitKeys = (): readonly LimitKey[] => [...attributes.keys()];

/** Formats a count of mail: `12 messages accepted, 3 refused, since 2026-11-24 18:30:05`. */
export function formatMailCount({ accepted, refused, since }: MailCount): string {
  const begin = since === undefined ? '' : `, since ${dateTime(since)}`;
  const others = refused === undefined ? '' : `, ${refused} refused`;
  return `${count(accepted, 'message')} accepted${others}${begin}`;
}

/** Formats what web servers sent: `4.2 GiB sent by web servers since 2026-11-24 18:30:05`, and what is missing. */
export function formatSentByWeb({ bytes, since, gaps }: SentByWeb): string {
  const missing = gaps.length === 0 ? '' : ` (partial: ${gaps.join('; ')})`;
  return `${shortBytes(bytes)} sent by web servers since ${dateTime(since)}${missing}`;
}
