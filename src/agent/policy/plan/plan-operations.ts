/**
 * The operations of a plan, for people who read a change before they apply it.
 *
 *     cpu.max of alice: 100% → 150%
 *     memory.max of alice: 1GiB → 2GiB
 */
import { quantityKinds, unlimited } from '../../../../packages/base/quantity.ts';
import { formatBytes } from '../../../../packages/base/quantity.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { formatOperation, formatQuota, formatValue } from '../../../plan/format.ts';
import type { Operation, WriteFile } from '../../../plan/operations.ts';
import type { PolicyOperation } from '../../api/policy-api.ts';

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
        : [inWords(operation.label, operation.unit, operation)];
    case 'realize':
      return operation.writes.map(describeWrite);
    case 'create':
      return [inWords(operation.label, 'cgroup', operation)];
    case 'move':
      return [inWords(operation.label, 'processes', operation)];
    case 'remove':
      return [inWords(operation.unit ?? operation.cgroup, 'cgroup', operation)];
    case 'quota': {
      const setting = `quota on ${operation.mountPoint}`;
      return [
        change(operation.label, setting, formatQuota(operation.from), formatQuota(operation.to)),
      ];
    }
    case 'prepare':
    case 'reload':
      return [inWords(host, 'systemd and cgroups', operation)];
  }
}

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
    return [change(each.label, 'disk quota', formatQuota(each.from), formatQuota(each.to))];
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
  setting: '',
  text: printable(line),
});

/** The text of `bulkhead plan`, without its sign. */
const inWords = (who: string, setting: string, operation: Operation): PolicyOperation => ({
  who: printable(who),
  setting,
  text: printable(formatOperation(operation).replace(/^[+~-] /, '')),
});

function describeWrite({ label, file, device, from, to }: WriteFile): PolicyOperation {
  const setting = device === undefined ? file : `${file} ${device}`;
  return change(label, setting, shown(setting, file, from), shown(setting, file, to));
}

function change(who: string, setting: string, from: string, to: string): PolicyOperation {
  const name = printable(who);
  return { who: name, setting, from, to, text: `${setting} of ${name}: ${from} → ${to}` };
}

/** Returns a value of a kernel file in the units of the policy. */
function shown(setting: string, file: string, value: string | undefined): string {
  if (value === undefined) return 'not set';
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
