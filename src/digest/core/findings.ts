/** Finds the facts to report about an account: from its use and its faults over the period, and its disk now. */
import { formatQuantity, type Quantity } from '../../../packages/base/quantity.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { limitAttribute } from '../../limits/limits.ts';
import type { DigestRule } from '../../policy/settings.ts';
import { metrics, type MetricKey } from '../../usage/metrics.ts';
import type { Finding } from './digest.ts';
import { dayMilliseconds, dayWhenFull, type DiskSample } from './forecast.ts';

/** The metrics that are compared with their limits. */
export const comparedMetrics = ['cpu', 'anonymous', 'threads', 'read', 'write'] as const;

/** Limits that mean something to a customer, in the order of the message. */
const reportedLimits: readonly LimitKey[] = [
  'cpu.limit',
  'memory.limit',
  'memory.swap',
  'processes.limit',
  'entries.limit',
  'io.read',
  'io.write',
  'io.total',
  'io.reads',
  'io.writes',
  'io.operations',
  'disk.space',
  'disk.files',
  'network.send',
  'network.receive',
  'network.connections',
  'database.cpu',
  'database.connections',
  'database.statement',
  'database.transaction',
];

/** The part of an answer of the agent that counts here. */
export interface MeasuredAccount {
  readonly metrics: Readonly<Partial<Record<MetricKey, { readonly p95: number }>>>;
  readonly limits: Readonly<Partial<Record<LimitKey, number>>>;
  readonly limitTexts: Readonly<Partial<Record<LimitKey, string>>>;
  readonly faults: Readonly<Partial<Record<LimitKey, number>>>;
}

type Share = Pick<DigestRule, 'useFraction'>;

export function useFindings(row: MeasuredAccount, rule: Share): readonly Finding[] {
  const reached = reportedLimits.flatMap((limit): readonly Finding[] => {
    const times = row.faults[limit] ?? 0;
    const value = row.limitTexts[limit];
    return times === 0 || value === undefined ? [] : [{ kind: 'reached', limit, value, times }];
  });
  const known = new Set(reached.map((each) => (each.kind === 'reached' ? each.limit : undefined)));
  const busy = comparedMetrics.flatMap((key): readonly Finding[] => {
    const { limit } = metrics[key];
    const finding = limit === undefined ? undefined : busyFinding(row, key, limit, rule);
    return finding === undefined || known.has(limit) ? [] : [finding];
  });
  return [...reached, ...busy];
}

function busyFinding(
  { metrics: measured, limits, limitTexts }: MeasuredAccount,
  key: MetricKey,
  limit: LimitKey,
  { useFraction }: Share,
): Finding | undefined {
  const most = limits[limit];
  const value = limitTexts[limit];
  const used = measured[key]?.p95;
  if (most === undefined || most <= 0 || value === undefined || used === undefined)
    return undefined;
  const fraction = used / most;
  if (fraction < useFraction) return undefined;
  return { kind: 'busy', limit, value, fraction, used: usedText(limit, used) };
}

/** Returns what was used in the unit of the limit, short. */
function usedText(limit: LimitKey, used: number): string {
  const { kind } = limitAttribute(limit);
  if (kind === 'bytes') return shortBytes(used);
  if (kind === 'bytesPerSecond') return `${shortBytes(used)}/s`;
  if (kind === 'cpu') return `${Math.round(used * 100)}%`;
  return String(Math.round(used));
}

export interface DiskFacts {
  readonly spaceBytes: number;
  readonly files: number;
  /** The limits; absent if there is none. */
  readonly spaceLimit?: number | undefined;
  readonly filesLimit?: number | undefined;
  /** One sample a day, the oldest first. */
  readonly samples: readonly DiskSample[];
}

export function diskFindings(
  { spaceBytes, files, spaceLimit, filesLimit, samples }: DiskFacts,
  { useFraction, fullMilliseconds }: Share & Pick<DigestRule, 'fullMilliseconds'>,
  now: number,
): readonly Finding[] {
  const today = Math.floor(now / dayMilliseconds);
  const day =
    spaceLimit === undefined || spaceBytes >= spaceLimit
      ? undefined
      : dayWhenFull(samples, { today, bytes: spaceBytes, limit: spaceLimit });
  const at = day === undefined ? undefined : day * dayMilliseconds + (now % dayMilliseconds);
  const share = (limit: 'disk.space' | 'disk.files', used: number, most: number | undefined) => {
    if (most === undefined || most <= 0 || used / most < useFraction) return [];
    const { kind } = limitAttribute(limit);
    const text = kind === 'bytes' ? shortBytes : String;
    const value = formatQuantity(kind, most as Quantity);
    return [
      { kind: 'disk', limit, used: text(used), value, fraction: used / most },
    ] as const satisfies readonly Finding[];
  };
  return [
    ...share('disk.space', spaceBytes, spaceLimit),
    ...share('disk.files', files, filesLimit),
    ...(at !== undefined && at - now <= fullMilliseconds ? [{ kind: 'full', at } as const] : []),
  ];
}
