/** The limits of a panel's package, turned into quantities of the policy. What cannot be is reported, never taken for 0. */
import { formatCause, type Problem } from '../../../packages/base/problem.ts';
import { formatQuantity, unlimited, type Quantity } from '../../../packages/base/quantity.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { limitAttribute } from '../../limits/limits.ts';
import type { StatedLimits } from './panel-data.ts';

/** Returns a number, `unlimited`, undefined if there is no limit in it, or null if it cannot be understood. */
type Reading = (text: string) => number | typeof unlimited | undefined | null;

export interface LimitField {
  /** The panel's name of the limit. */
  readonly key: string;
  readonly limit: LimitKey;
  readonly reading: Reading;
}

const whole =
  (scale: number): Reading =>
  (text) => {
    if (text === '') return undefined;
    if (/^unlimited$/i.test(text)) return unlimited;
    const value = /^\d{1,15}(?:\.0+)?$/.test(text) ? Number(text) * scale : NaN;
    return Number.isSafeInteger(value) ? value : null;
  };

export const mebibytes = whole(2 ** 20);
export const kibibytes = whole(2 ** 10);
export const countOf = whole(1);

/** Reads a number of which 0 means no limit. */
export const zeroIsUnlimited =
  (reading: Reading): Reading =>
  (text) => {
    const value = reading(text);
    return value === 0 ? unlimited : value;
  };

/** Reads `150%`: 100% is one core. Source: systemd.resource-control(5), CPUQuota=. */
export const cpuPercent: Reading = (text) => {
  if (text === '') return undefined;
  if (/^(?:unlimited|infinity)$/i.test(text)) return unlimited;
  const [, value] = /^(\d{1,7}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
  return value === undefined ? null : Number(value) / 100;
};

/** Reads `512M`; units of memory are powers of 1024, those of rates powers of 1000. Source: systemd.resource-control(5). */
const sized =
  (base: number): Reading =>
  (text) => {
    if (text === '') return undefined;
    if (/^(?:unlimited|infinity)$/i.test(text)) return unlimited;
    const [, number = '', unit = ''] = /^(\d{1,15})\s*([KMGT]?)B?$/i.exec(text) ?? [];
    if (number === '') return null;
    const power = unit === '' ? 0 : 'KMGT'.indexOf(unit.toUpperCase()) + 1;
    const value = Number(number) * base ** power;
    return Number.isSafeInteger(value) ? value : null;
  };

export const memorySize = sized(1024);
export const ratePerSecond = sized(1000);

export interface ReadLimits {
  readonly limits: StatedLimits;
  readonly problems: readonly Problem[];
}

/** Reads the limits among the values of a file, `from`. */
export function readLimits(
  values: ReadonlyMap<string, string>,
  fields: readonly LimitField[],
  from: string,
): ReadLimits {
  const limits = new Map<LimitKey, Quantity>();
  const problems: Problem[] = [];
  for (const { key, limit, reading } of fields) {
    const text = values.get(key);
    const value = text === undefined ? undefined : reading(text);
    if (text === undefined || value === undefined) continue;
    const { min, kind } = limitAttribute(limit);
    const isUsable = value === unlimited || (value !== null && value >= (min ?? 0));
    if (isUsable) limits.set(limit, value as Quantity);
    else problems.push(notUsable(key, text, from, value === null ? undefined : [kind, min ?? 0]));
  }
  return { limits, problems };
}

function notUsable(
  key: string,
  text: string,
  from: string,
  bound: readonly [kind: Parameters<typeof formatQuantity>[0], min: number] | undefined,
): Problem {
  const reason =
    bound === undefined
      ? `"${text}" cannot be understood`
      : `"${text}" is less than ${formatQuantity(bound[0], bound[1] as never)}`;
  return { action: `use ${key} of`, object: from, reason, hint: 'this limit is left out' };
}

/** Reports lines of a file that were not understood. */
export const wrongIn = (from: string, wrong: Parameters<typeof formatCause>[0]): Problem => ({
  ...wrong,
  action: 'read all of',
  object: from,
});

/** Formats limits in one line: `disk space 10GiB, cpu limit 150%`; those that are unlimited as such. */
export function formatLimits(limits: StatedLimits): string {
  const parts = [...limits].map(([key, value]) => {
    const { kind } = limitAttribute(key);
    return `${key.replace('.', ' ')} ${formatQuantity(kind, value)}`;
  });
  return parts.length === 0 ? 'no limits that Bulkhead can enforce' : parts.join(', ');
}
