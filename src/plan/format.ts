/** Prints a plan for people: one line per operation, grouped by tenant. */
import { formatBytes, unlimited } from '../../packages/base/quantity.ts';
import type { Operation, RealizeUnit, WriteFile, WriteUnit } from './operations.ts';
import type { Plan } from './plan.ts';
import { count, listSome } from '../../packages/base/list.ts';
import type { QuotaLimits } from './quota.ts';

export interface Marks {
  readonly add: (text: string) => string;
  readonly change: (text: string) => string;
  readonly remove: (text: string) => string;
}

const noMarks: Marks = { add: (text) => text, change: (text) => text, remove: (text) => text };

export function formatPlan(plan: Plan, marks = noMarks): string {
  if (plan.operations.length === 0) return 'Nothing to change: the kernel matches the policy';
  const lines = plan.operations.map((each) => formatOperation(each, marks));
  return [...lines, '', summary(plan)].join('\n');
}

export function formatOperation(operation: Operation, marks = noMarks): string {
  switch (operation.kind) {
    case 'prepare':
      return marks.add(`+ ${operation.summary}`);
    case 'create':
      return marks.add(`+ ${operation.label}: cgroup ${shownCgroup(operation.cgroup)}`);
    case 'write':
      return marks.change(`~ ${operation.label}: ${formatWrite(operation)}`);
    case 'move':
      return marks.change(
        `~ ${operation.label}: processes from ${operation.from} to ${operation.to}`,
      );
    case 'quota':
      return marks.change(
        `~ ${operation.label}: quota on ${operation.mountPoint} ${formatQuota(operation.from)} → ${formatQuota(operation.to)}`,
      );
    case 'unit':
      return operation.from === undefined
        ? marks.add(`+ ${operation.label}: ${formatUnit(operation)}`)
        : marks.change(`~ ${operation.label}: ${formatUnit(operation)}`);
    case 'reload':
      return marks.change('~ systemd reads its files again');
    case 'realize':
      return marks.change(`~ ${operation.label}: ${formatRealized(operation)}`);
    case 'remove':
      if (operation.unit !== undefined) return marks.remove(`- limits of ${operation.unit}`);
      return marks.remove(`- cgroup ${operation.cgroup}${formatProcesses(operation.processes)}`);
  }
}

const shownCgroup = (path: string) => (path === '' ? '(the root of all tenants)' : path);

function formatWrite({ file, device, from, to, note }: WriteFile): string {
  const where = device === undefined ? file : `${file} ${device}`;
  const what = note === undefined ? '' : ` (${note})`;
  return `${where} ${formatValue(file, from)} → ${formatValue(file, to)}${what}`;
}

/** Prints the changes to a slice's file: `/etc/…/user-1001.slice.d/90-bulkhead.conf: TasksMax 40 → 41`. */
export function formatUnit(unit: WriteUnit): string {
  const changes = settingChanges(unit).map(({ key, from = '(absent)', to = '(absent)' }) => {
    if (to === '(absent)') return `${key} → ${to}`;
    return unit.from === undefined ? `${key} ${to}` : `${key} ${from} → ${to}`;
  });
  const by = unit.setBy === undefined ? '' : ` (in part set by ${unit.setBy})`;
  return `${unit.path}: ${changes.join(', ') || 'another text'}${by}`;
}

/** A setting of a slice that changes, for people. */
export interface SettingChange {
  readonly key: string;
  /** Absent if it was not set. */
  readonly from?: string;
  /** Absent if it is not set any more. */
  readonly to?: string;
}

/** Returns the settings that change in a slice's file. */
export function settingChanges({ from, text }: WriteUnit): readonly SettingChange[] {
  const [now, wanted] = [unitSettings(from ?? ''), unitSettings(text)];
  const valueIn = (settings: ReadonlyMap<string, string>, key: string) => {
    const value = settings.get(key);
    return value === undefined ? undefined : formatSetting(key, value);
  };
  return [...new Set([...wanted.keys(), ...now.keys()])].flatMap(
    (key): readonly SettingChange[] => {
      if (now.get(key) === wanted.get(key)) return [];
      const [before, after] = [valueIn(now, key), valueIn(wanted, key)];
      return [
        {
          key,
          ...(before !== undefined && { from: before }),
          ...(after !== undefined && { to: after }),
        },
      ];
    },
  );
}

/** Returns settings with a value; a disk's settings by setting and disk. */
function unitSettings(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key = '', device = '', value = ''] = /^(\w+)=(\/\S+ )?(.+)$/.exec(line) ?? [];
    // Accounting settings limit nobody.
    if (key !== '' && !key.endsWith('Accounting'))
      settings.set(`${key}${device === '' ? '' : ` ${device.trim()}`}`, value);
  }
  return settings;
}

function formatRealized({ unit, writes }: RealizeUnit): string {
  if (writes.length === 0) return 'its cgroup is set as systemd has it';
  return `systemd sets the cgroup of ${unit}: ${writes.map(formatWrite).join(', ')}`;
}

/** Prints systemd's memory settings, which are bytes. */
const formatSetting = (key: string, value: string) =>
  /^Memory(?:Max|High|Low|Min|SwapMax)$/.test(key) && /^\d+$/.test(value)
    ? formatBytes(Number(value))
    : value;

const inBytes = /^memory\.(.*_in_bytes|max|high|low|swap\.max)$/;

/** Prints bytes with a unit, and everything else as the kernel prints it. */
export function formatValue(file: string, value: string | undefined): string {
  if (value === undefined) return '(absent)';
  if (value === '') return '(none)';
  if (!inBytes.test(file) || !/^\d+$/.test(value)) return value;
  return Number(value) > 2 ** 62 ? unlimited : formatBytes(Number(value));
}

export function formatQuota({ spaceBytes, files }: QuotaLimits): string {
  const space = spaceBytes === undefined ? unlimited : formatBytes(spaceBytes);
  return `${space}, ${files ?? unlimited} files`;
}

function formatProcesses(processes: readonly number[]): string {
  if (processes.length === 0) return '';
  return ` (contains process ${listSome(processes.map(String), 8)})`;
}

function summary({ operations }: Plan): string {
  const all = (...kinds: readonly Operation['kind'][]) =>
    operations.filter((each) => kinds.includes(each.kind)).length;
  const units = all('unit');
  return [
    `${count(all('create'), 'cgroup')} to create`,
    `${count(all('write', 'quota'), 'value')} to write`,
    ...(units === 0 ? [] : [`${count(units, 'slice')} to configure`]),
    `${count(all('remove'), 'cgroup')} to remove`,
  ].join(', ');
}
