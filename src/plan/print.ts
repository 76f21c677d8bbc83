/** Prints a plan for people: one line per operation, grouped by tenant. */
import { printBytes, unlimited } from '../base/quantity.ts';
import type { Operation, Plan, RealizeUnit, WriteFile, WriteUnit } from './plan.ts';
import { count, listSome } from '../base/list.ts';
import type { QuotaLimits } from './quota.ts';

export interface Marks {
  readonly add: (text: string) => string;
  readonly change: (text: string) => string;
  readonly remove: (text: string) => string;
}

const noMarks: Marks = { add: (text) => text, change: (text) => text, remove: (text) => text };

export function printPlan(plan: Plan, marks = noMarks): string {
  if (plan.operations.length === 0) return 'Nothing to change: the kernel matches the policy';
  const lines = plan.operations.map((each) => printOperation(each, marks));
  return [...lines, '', summary(plan)].join('\n');
}

export function printOperation(operation: Operation, marks = noMarks): string {
  switch (operation.kind) {
    case 'prepare':
      return marks.add(`+ ${operation.summary}`);
    case 'create':
      return marks.add(`+ ${operation.label}: cgroup ${shownCgroup(operation.cgroup)}`);
    case 'write':
      return marks.change(`~ ${operation.label}: ${printWrite(operation)}`);
    case 'move':
      return marks.change(
        `~ ${operation.label}: processes from ${operation.from} to ${operation.to}`,
      );
    case 'quota':
      return marks.change(
        `~ ${operation.label}: quota on ${operation.mountPoint} ${printQuota(operation.from)} → ${printQuota(operation.to)}`,
      );
    case 'unit':
      return operation.from === undefined
        ? marks.add(`+ ${operation.label}: ${printUnit(operation)}`)
        : marks.change(`~ ${operation.label}: ${printUnit(operation)}`);
    case 'reload':
      return marks.change('~ systemd reads its files again');
    case 'realize':
      return marks.change(`~ ${operation.label}: ${printRealized(operation)}`);
    case 'remove':
      if (operation.unit !== undefined) return marks.remove(`- limits of ${operation.unit}`);
      return marks.remove(`- cgroup ${operation.cgroup}${printProcesses(operation.processes)}`);
  }
}

const shownCgroup = (path: string) => (path === '' ? '(the root of all tenants)' : path);

function printWrite({ file, device, from, to, note }: WriteFile): string {
  const where = device === undefined ? file : `${file} ${device}`;
  const what = note === undefined ? '' : ` (${note})`;
  return `${where} ${printValue(file, from)} → ${printValue(file, to)}${what}`;
}

/** Prints the changes to a slice's file: `/etc/…/user-1001.slice.d/90-bulkhead.conf: TasksMax 40 → 41`. */
export function printUnit({ path, from, text, setBy }: WriteUnit): string {
  const now = unitSettings(from ?? '');
  const wanted = unitSettings(text);
  const changes = [...wanted].flatMap(([key, value]) => {
    const before = now.get(key);
    if (before === value) return [];
    const text = printSetting(key, value);
    if (from === undefined) return [`${key} ${text}`];
    return [`${key} ${before === undefined ? '(absent)' : printSetting(key, before)} → ${text}`];
  });
  const gone = [...now.keys()].filter((key) => !wanted.has(key)).map((key) => `${key} → (absent)`);
  const by = setBy === undefined ? '' : ` (in part set by ${setBy})`;
  return `${path}: ${[...changes, ...gone].join(', ') || 'another text'}${by}`;
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

function printRealized({ unit, writes }: RealizeUnit): string {
  if (writes.length === 0) return 'its cgroup is set as systemd has it';
  return `systemd sets the cgroup of ${unit}: ${writes.map(printWrite).join(', ')}`;
}

/** Prints systemd's memory settings, which are bytes. */
const printSetting = (key: string, value: string) =>
  /^Memory(?:Max|High|Low|Min|SwapMax)$/.test(key) && /^\d+$/.test(value)
    ? printBytes(Number(value))
    : value;

const inBytes = /^memory\.(.*_in_bytes|max|high|swap\.max)$/;

/** Prints bytes with a unit, and everything else as the kernel prints it. */
export function printValue(file: string, value: string | undefined): string {
  if (value === undefined) return '(absent)';
  if (value === '') return '(none)';
  if (!inBytes.test(file) || !/^\d+$/.test(value)) return value;
  return Number(value) > 2 ** 62 ? unlimited : printBytes(Number(value));
}

export function printQuota({ spaceBytes, files }: QuotaLimits): string {
  const space = spaceBytes === undefined ? unlimited : printBytes(spaceBytes);
  return `${space}, ${files ?? unlimited} files`;
}

function printProcesses(processes: readonly number[]): string {
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
