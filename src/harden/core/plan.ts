/**
 * The changes of `harden enable`: values that are set now, and the file that sets them at boot. Everything set before stays in
 * the record with its previous value, so that the next run completes or undoes a run that was killed.
 */
import { isGood, type ReadSysctl } from './judge.ts';
import { settingOf, settings, type KernelSetting } from './settings.ts';
import { fileText } from './sysctl-files.ts';

export interface KeptSetting {
  readonly key: string;
  /** The value before Bulkhead first set it. */
  readonly before: string;
  readonly set: string;
  /** Whether it is being undone. */
  readonly undoing?: true;
}

/** The settings in the order in which they were set. */
export type KeptSettings = readonly KeptSetting[];

export interface ValueChange {
  /** The sysctl, or another setting. */
  readonly key: string;
  /** The value before. */
  readonly from: string;
  /** The value afterwards. */
  readonly to: string;
}

export interface HardenPlan {
  readonly values: readonly ValueChange[];
  readonly record: KeptSettings;
  /** The text of the file; undefined: no file. */
  readonly text: string | undefined;
  readonly notes: readonly string[];
}

const textOf = (record: KeptSettings) => (record.length === 0 ? undefined : fileText(record));

/** The settings that are applied without being named. */
export const defaultHardenSettings: readonly KernelSetting[] = settings.filter(
  (each) => each.byDefault,
);

export function planHarden(
  chosen: readonly KernelSetting[],
  read: ReadSysctl,
  record: KeptSettings,
): HardenPlan {
  const kept = new Map(record.map((each) => [each.key, each]));
  const added = chosen.flatMap((setting): KeptSetting[] => {
    const before = read(setting.key)?.trim();
    if (before === undefined || kept.has(setting.key) || isGood(setting, before)) return [];
    return [{ key: setting.key, before, set: String(setting.wanted) }];
  });
  const all = [...record, ...added];
  const values = all.flatMap(({ key, set }): ValueChange[] => {
    const from = read(key)?.trim();
    const setting = settingOf(key);
    if (from === undefined || (setting !== undefined && isGood(setting, from))) return [];
    return from === set ? [] : [{ key, from, to: set }];
  });
  const notes = chosen
    .filter(({ key }) => read(key) === undefined)
    .map(({ key }) => `${key} is not available on this kernel`);
  return { values, record: all, text: textOf(all), notes };
}

/** Plans an undo. `keys`: the settings to undo; all if absent. */
export function planUndo(
  record: KeptSettings,
  read: ReadSysctl,
  keys: ReadonlySet<string> | undefined,
): HardenPlan {
  const isGone = (each: KeptSetting) =>
    keys === undefined || keys.has(each.key) || each.undoing === true;
  const gone = record.filter(isGone);
  const notes: string[] = [];
  const values = gone.flatMap(({ key, before, set }): ValueChange[] => {
    const from = read(key)?.trim();
    if (from === undefined || from === before) return [];
    if (from === set) return [{ key, from, to: before }];
    notes.push(`${key} is ${from}, which Bulkhead has not set, and stays`);
    return [];
  });
  const left = record.filter((each) => !isGone(each));
  return { values, record: left, text: textOf(left), notes };
}
