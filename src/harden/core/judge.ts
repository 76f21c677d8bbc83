/** Compares each setting of a host with its good values. */
import type { SecurityItem } from '../../../packages/base/security-item.ts';
import { sysctlNumber, settings, type KernelSetting } from './settings.ts';

/** Returns the text of a sysctl's file; undefined if the kernel has none. */
export type ReadSysctl = (key: string) => string | undefined;

export function judgeSettings(read: ReadSysctl): readonly SecurityItem[] {
  const good = settings.filter((setting) => isGood(setting, read(setting.key)));
  return settings.map((setting) => {
    const now = read(setting.key)?.trim();
    const { item, key, why, breaks, since } = setting;
    const wanted = setting.good;
    return { item, key, now, wanted, why, breaks, since, ...verdictOf(setting, now, good) };
  });
}

export function isGood({ isGood }: KernelSetting, text: string | undefined): boolean {
  const value = text === undefined ? undefined : sysctlNumber(text);
  return value !== undefined && isGood(value);
}

function verdictOf(
  setting: KernelSetting,
  now: string | undefined,
  good: readonly KernelSetting[],
): Pick<SecurityItem, 'verdict' | 'remark'> {
  const { group, item, byDefault, oneWay } = setting;
  if (now === undefined) return { verdict: 'unavailable', remark: 'not available on this kernel' };
  if (good.includes(setting)) return { verdict: 'good', remark: undefined };
  const other = good.find((each) => each.group !== undefined && each.group === group);
  if (other !== undefined)
    return { verdict: 'covered', remark: `${other.key} already keeps tenants from it` };
  const command = byDefault ? 'bulkhead harden enable' : `bulkhead harden enable ${item}`;
  const until = oneWay === true ? ', which the kernel takes back at the next boot only' : '';
  return { verdict: 'lacking', remark: `${command}${until}` };
}
