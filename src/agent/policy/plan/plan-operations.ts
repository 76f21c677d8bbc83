/**
 * The operations of a plan, for people who read a change before they apply it.
 *
 *     cpu.max of alice: 100% → 150%
 *     memory.max of alice: 1GiB → 2GiB
 */
import { quantityKinds, unlimited } from '../../../../packages/base/quantity.ts';
import { formatBytes } from '../../../../packages/base/quantity.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { formatOperation, formatQuota, formatValue, settingChanges } from '../../../plan/format.ts';
import type { Operation, SetQuota, WriteFile, WriteUnit } from '../../../plan/operations.ts';
import type { QuotaLimits } from '../../../plan/quota.ts';
import type { PolicyAction, PolicyOperation } from '../../api/policy-api.ts';

const host = 'the host';
/** The period of quotas for CPU time that Bulkhead writes. */
const periodMicroseconds = 100_000;

/** Describes an operation; one for each kernel setting of a slice. */
export function describeOperation(operation: Operation): readonly PolicyOperation[] {
  switch (operation.kind) {
    case 'write':
      return [describeWrite(operation)];
    case 'unit':
      return operation.writes.length > 0
        ? operation.writes.map(describeWrite)
        : [inWords(operation.label, operation.unit, operation, unitAction(operation))];
    case 'realize':
      return operation.writes.map(describeWrite);
    case 'create':
      return [inWords(operation.label, 'cgroup', operation, action('create', operation.cgroup))];
    case 'move': {
      const { from, to } = operation;
      return [inWords(operation.label, 'processes', operation, action('move', from, to))];
    }
    case 'remove': {
      const { unit, cgroup, processes } = operation;
      return [
        unit === undefined
          ? inWords(cgroup, 'cgroup', operation, action('remove', cgroup, String(processes.length)))
          : inWords(unit, 'cgroup', operation, action('remove unit', unit)),
      ];
    }
    case 'quota':
      return [describeQuota(operation, `quota on ${operation.mountPoint}`, operation.mountPoint)];
    case 'prepare': {
      const code = preparations.get(operation.id);
      return [ofHost(operation, code && action(code, ...(operation.names ?? [])))];
    }
    case 'reload':
      return [ofHost(operation, action('reload units'))];
  }
}

/** The steps of drivers that have codes. */
const preparations: ReadonlyMap<string, PolicyAction['code']> = new Map([
  ['unit', 'delegate'],
  ['controllers', 'controllers'],
]);

const action = (code: PolicyAction['code'], ...values: readonly string[]): PolicyAction => ({
  code,
  values: values.map(printable),
});

/** The file, and each setting that changes in it. */
const unitAction = (unit: WriteUnit) =>
  action(
    'write unit',
    unit.path,
    ...settingChanges(unit).map(({ key, from = '–', to = '–' }) => `${key} ${from} → ${to}`),
  );

const ofHost = (operation: Operation, what: PolicyAction | undefined): PolicyOperation => ({
  ...inWords(host, 'systemd and cgroups', operation, what),
  isOfHost: true,
});

/** Describes a quota; a reseller does not learn the mount point. */
function describeQuota(
  { label, from, to }: SetQuota,
  setting: string,
  ...mountPoint: readonly string[]
): PolicyOperation {
  const quota = { from: shownQuota(from), to: shownQuota(to) };
  return {
    ...change(label, setting, formatQuota(from), formatQuota(to)),
    action: { ...action('quota', ...mountPoint), quota },
  };
}

const shownQuota = ({ spaceBytes, files }: QuotaLimits) => ({
  space: spaceBytes === undefined ? unlimited : formatBytes(spaceBytes),
  files: String(files ?? unlimited),
});

/**
 * Describes values only, without the host's disks and mounts: a reseller learns neither where cgroups are nor what
 * systemd is told.
 */
export function withoutHost(operations: readonly Operation[]): readonly PolicyOperation[] {
  const described = operations.flatMap((each): readonly PolicyOperation[] => {
    if (each.kind === 'write') return [describeWrite(withoutDevice(each))];
    if (each.kind === 'unit' || each.kind === 'realize')
      return each.writes.map((write) => describeWrite(withoutDevice(write)));
    if (each.kind !== 'quota') return [];
    return [describeQuota(each, 'disk quota')];
  });
  // Each disk and each file system has one.
  return [...new Map(described.map((each) => [each.text, each])).values()];
}

function withoutDevice({ device: _device, ...write }: WriteFile): WriteFile {
  return write;
}

/** Describes a line of a capability's plan. */
export const describeLine = (line: string): PolicyOperation => ({
  who: host,
  isOfHost: true,
  setting: '',
  text: printable(line),
});

/** The text of `bulkhead plan`, without its sign. */
const inWords = (
  who: string,
  setting: string,
  operation: Operation,
  what: PolicyAction | undefined,
): PolicyOperation => ({
  who: printable(who),
  setting,
  ...(what !== undefined && { action: what }),
  text: printable(formatOperation(operation).replace(/^[+~-] /, '')),
});

function describeWrite({ label, file, device, from, to }: WriteFile): PolicyOperation {
  const setting = device === undefined ? file : `${file} ${device}`;
  const before = from === undefined ? undefined : shown(setting, file, from);
  return change(label, setting, before, shown(setting, file, to));
}

function change(
  who: string,
  setting: string,
  from: string | undefined,
  to: string,
): PolicyOperation {
  const name = printable(who);
  const text = `${setting} of ${name}: ${from ?? 'not set'} → ${to}`;
  return { who: name, setting, ...(from !== undefined && { from }), to, text };
}

/** Returns a value of a kernel file in the units of the policy. */
function shown(setting: string, file: string, value: string): string {
  if (file === 'cpu.max' || file === 'cpu.cfs_quota_us') {
    const [quota = '', period = `${periodMicroseconds}`] = value.split(' ');
    const share = Number(quota) / Number(period);
    if (quota === 'max' || share < 0) return unlimited;
    return Number.isFinite(share) ? quantityKinds.cpu.format(share) : value;
  }
  if (value === 'max') return unlimited;
  if (/bps/.test(setting) && /^\d+$/.test(value)) return `${formatBytes(Number(value))}/s`;
  return printable(formatValue(file, value));
}
