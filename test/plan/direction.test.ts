import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { lowers } from '../../src/limits/flat-file.ts';
import type { FileSetting, LimitKey, LimitValues } from '../../src/limits/limit.ts';
import { limitAttribute } from '../../src/limits/limits.ts';
import type { Observed } from '../../src/plan/observed.ts';
import { planChanges } from '../../src/plan/plan.ts';
import { wantedState, type Wanted } from '../../src/plan/wanted.ts';
import { unlimited } from '../../packages/base/quantity.ts';
import { contextOf, versions } from '../limits/wanted-of.ts';
import { limitValues, policyOf } from './policies.ts';

const io = (read: string, write: string) => `rbps=${read} wbps=${write} riops=max wiops=max`;
const changes: readonly (readonly [file: string, from: string, to: string, lower: boolean])[] = [
  ['pids.max', 'max', '9', true],
  ['pids.max', '9', '10', false],
  ['pids.max', '9', '0', true],
  ['pids.max', '9', 'max', false],
  ['cpu.max', 'max 100000', '50000 100000', true],
  ['cpu.max', '50000 100000', 'max 100000', false],
  ['cpu.max', '50000 50000', '60000 100000', true],
  ['cpu.max', '60000 100000', '50000 50000', false],
  ['cpu.cfs_quota_us', '-1', '100', true],
  ['cpu.cfs_quota_us', '100', '-1', false],
  ['cpu.cfs_burst_us', '0', '100', false],
  ['io.max', io('max', 'max'), io('1024', 'max'), true],
  ['io.max', io('2048', '2048'), io('4096', '1024'), true],
  ['io.max', io('1024', '1024'), io('1024', 'max'), false],
  ['blkio.throttle.read_bps_device', '0', '1024', true],
  ['blkio.throttle.read_bps_device', '1024', '0', false],
  ['blkio.throttle.write_iops_device', '1024', '512', true],
  ['blkio.throttle.write_iops_device', '512', '1024', false],
];

for (const [file, from, to, lower] of changes) {
  test(`lowers() is ${lower} when ${file} goes from "${from}" to "${to}"`, () => {
    assert.equal(lowers(file, from, to), lower);
  });
}

type Sizes = (values: LimitValues) => readonly number[];
const valueOf = (values: LimitValues, key: LimitKey): number => {
  const value = values[key] ?? limitAttribute(key).fallback;
  return value === unlimited ? Infinity : value;
};
const sizes =
  (...keys: readonly LimitKey[]): Sizes =>
  (values) =>
    keys.map((key) => valueOf(values, key));
const burst: Sizes = (values) => {
  const limit = valueOf(values, 'cpu.limit');
  return [limit === Infinity ? 0 : Math.min(limit, valueOf(values, 'cpu.burst'))];
};
/** Returns the swap limit: zero if memory is limited and the policy does not mention swap. */
const swapOf = (values: LimitValues) =>
  values['memory.swap'] === undefined && valueOf(values, 'memory.limit') === Infinity
    ? Infinity
    : valueOf(values, 'memory.swap');
const memoryAndSwap: Sizes = (values) => [
  valueOf(values, 'memory.limit') + Math.max(4096, swapOf(values)),
];

/** The policy's sizes that each file limits. */
const limitedBy: Readonly<Record<string, Sizes>> = {
  'cpu.max': sizes('cpu.limit'),
  'cpu.max.burst': burst,
  'cpu.weight': sizes('cpu.weight'),
  'memory.max': sizes('memory.limit'),
  'memory.low': sizes('memory.guaranteed'),
  'memory.high': sizes('memory.soft'),
  'memory.swap.max': (values) => [swapOf(values)],
  'io.max': sizes('io.read', 'io.write', 'io.reads', 'io.writes'),
  'cpu.cfs_quota_us': sizes('cpu.limit'),
  'cpu.cfs_burst_us': burst,
  'cpu.shares': sizes('cpu.weight'),
  'memory.limit_in_bytes': sizes('memory.limit'),
  'memory.soft_limit_in_bytes': sizes('memory.soft'),
  'memory.memsw.limit_in_bytes': memoryAndSwap,
  'blkio.throttle.read_bps_device': sizes('io.read'),
  'blkio.throttle.write_bps_device': sizes('io.write'),
  'blkio.throttle.read_iops_device': sizes('io.reads'),
  'blkio.throttle.write_iops_device': sizes('io.writes'),
  'pids.max': sizes('processes.limit'),
};

/** A part of a total may grow while the total shrinks, so totals are left to the rows above. */
const withoutTotals = limitValues.map((values): LimitValues => {
  const { 'io.total': _total, 'io.operations': _operations, ...rest } = values;
  return rest;
});

const observedOf = (wanted: Wanted): Observed => ({
  cgroups: new Map(
    wanted.cgroups.map(({ path, settings }) => [path, { missing: [], files: filesOf(settings) }]),
  ),
  orphans: [],
  quotas: new Map(),
  preparations: [],
});

/** Each disk has a line of its own in a file that has lines. */
function filesOf(settings: readonly FileSetting[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const { file, device, value } of settings) {
    const line = device === undefined ? value : `${device} ${value}`;
    files.set(file, `${files.get(file) ?? ''}${line}\n`);
  }
  return files;
}

for (const version of versions) {
  test(`planChanges() lowers on cgroup v${version} when a limit of the file becomes smaller`, () => {
    const context = contextOf(version, { devices: ['8:0', '259:1'] });
    const wanted = (values: LimitValues) =>
      wantedState(policyOf([], [{ uid: 1001, reseller: undefined, values }]), context);
    fc.assert(
      fc.property(withoutTotals, withoutTotals, (from, to) => {
        for (const operation of planChanges(wanted(to), observedOf(wanted(from))).operations) {
          assert.ok(operation.kind === 'write');
          const limited = limitedBy[operation.file];
          assert.ok(limited !== undefined, operation.file);
          const before = limited(from);
          const isLower = limited(to).some((size, index) => size < (before[index] ?? Infinity));
          assert.equal(operation.direction, isLower ? 'lower' : 'raise', JSON.stringify(operation));
        }
      }),
      { numRuns: 1000 },
    );
  });
}
