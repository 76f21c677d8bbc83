/**
 * A CPU limit that the agent lowers for a while, since the host's database servers compute for the tenant.
 *
 *     cpu.max                  100000 100000 → 60000 100000      v2
 *     cpu.cfs_quota_us         100000 → 60000                    v1
 *
 * The kernel refuses a burst above the quota, and v1 a quota above that of the cgroup around it. Pure.
 */
import type { FileSetting } from './limit.ts';

/** The part of a limit that is left, however much the servers use. */
const lowestPart = 1 / 10;
/** CFS refuses less than 1 ms. */
const quotaMicrosecondsMin = 1_000;

const burstFiles: ReadonlySet<string> = new Set(['cpu.max.burst', 'cpu.cfs_burst_us']);
const quotaFiles: ReadonlySet<string> = new Set(['cpu.max', 'cpu.cfs_quota_us']);

/** Whether the file has a quota. */
export const isQuota = ({ file }: Pick<FileSetting, 'file'>): boolean => quotaFiles.has(file);
/** Whether the file has a quota, or a burst. */
export const isCpuTime = ({ file }: Pick<FileSetting, 'file'>): boolean =>
  quotaFiles.has(file) || burstFiles.has(file);

/** Returns the microseconds of each period by the text of a file; infinite without a limit. */
export function cpuMicroseconds(text: string): number {
  const [value = ''] = text.trim().split(' ');
  return value === 'max' || value === '-1' ? Infinity : Number(value);
}

export const lowestQuota = (full: number): number =>
  Math.min(full, Math.max(quotaMicrosecondsMin, Math.floor(full * lowestPart)));

/** Returns a file's text while the cgroup, or the one around it, has no more than `quota` microseconds. */
export function loweredText({ value }: Pick<FileSetting, 'value'>, quota: number): string {
  const full = cpuMicroseconds(value);
  if (quota >= full) return value;
  const [, ...period] = value.split(' ');
  return [String(Math.floor(quota)), ...period].join(' ');
}

/** Whether the file of a tenant may be like this while an agent lowers its limit. */
export function mayBeLowered(setting: FileSetting, text: string | undefined): boolean {
  if (text === undefined) return false;
  const [full, now] = [cpuMicroseconds(setting.value), cpuMicroseconds(text)];
  const least = isQuota(setting) ? lowestQuota(full) : 0;
  return now >= least && now <= full && periodOf(text) === periodOf(setting.value);
}

/**
 * Whether the file of a tenant's part may be like this meanwhile. v1 refuses the part's own quota while the tenant's is
 * lower, so the agent writes it. Without a quota, the tenant's is in force.
 */
export function mayBeLoweredPart(setting: FileSetting, text: string | undefined): boolean {
  const now = cpuMicroseconds(text ?? '-1');
  return now === Infinity || now <= cpuMicroseconds(setting.value);
}

const periodOf = (text: string): string | undefined => text.trim().split(' ')[1];
