/**
 * Any policy → any other, with what somebody else wrote in between: each operation succeeds where
 * the one before left the host, nothing is above what bounds it, and nothing is left to do.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Driver } from '../../src/host/driver.ts';
import type { Operation } from '../../src/plan/operations.ts';
import { planChanges } from '../../src/plan/plan.ts';
import {
  homeCgroup,
  parentOf,
  siteCgroup,
  tenantCgroup,
  type Wanted,
} from '../../src/plan/wanted.ts';
import { wantedOnHost } from '../../src/plan/wanted-on-host.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { fakeHost, type FakeHost } from '../../testing/fake-host.ts';
import { versions, type Version } from '../limits/wanted-of.ts';
import { policies } from './policies.ts';

const numRuns = 300;
const options = { kill: false, force: false };

/** Files in which a reseller's value bounds its tenants' values. */
const boundFiles: Readonly<Record<Version, readonly string[]>> = {
  1: [
    'cpu.cfs_quota_us',
    'memory.limit_in_bytes',
    'memory.soft_limit_in_bytes',
    'memory.memsw.limit_in_bytes',
    'blkio.throttle.read_bps_device',
    'blkio.throttle.write_bps_device',
    'blkio.throttle.read_iops_device',
    'blkio.throttle.write_iops_device',
    'pids.max',
  ],
  2: ['cpu.max', 'memory.max', 'memory.high', 'memory.swap.max', 'pids.max'],
};

/** Texts that somebody else may write to these files. */
const foreignTexts: Readonly<Record<Version, Readonly<Record<string, readonly string[]>>>> = {
  1: {
    'cpu.cfs_quota_us': ['-1', '5000', '90000', '700000'],
    'cpu.cfs_burst_us': ['0', '3000'],
    'cpu.shares': ['2', '5000'],
    'memory.limit_in_bytes': ['-1', '8388608', '1073741824'],
    'memory.memsw.limit_in_bytes': ['-1', '8388608', '4294967296'],
    'blkio.throttle.read_bps_device': ['254:0 0', '254:0 4096', '9:9 4096'],
    'pids.max': ['max', '0', '77'],
  },
  2: {
    'cpu.max': ['max 100000', '5000 100000', '400000 50000'],
    'cpu.max.burst': ['0', '3000'],
    'cpu.weight': ['1', '10000'],
    'memory.max': ['max', '0', '1073741824'],
    'memory.swap.max': ['max', '0', '8388608'],
    'memory.low': ['max', '0', '8388608'],
    'io.max': ['254:0 rbps=4096 wbps=max riops=max wiops=max', '9:9 rbps=4096 wbps=4096'],
    'pids.max': ['max', '0', '77'],
  },
};

const meddlingOn = (version: Version) =>
  fc.array(
    fc.record({
      cgroup: fc.constantFrom(
        'r2000',
        'r2001',
        'u1001',
        'u1002',
        'r2000/u1001',
        'r2001/u1001',
        'u1001/main',
        'u1001/s-a.example',
        'r2000/u1001/s-a.example',
      ),
      write: fc.constantFrom(
        ...Object.entries(foreignTexts[version]).flatMap(([file, texts]) =>
          texts.map((text) => ({ file, text })),
        ),
      ),
    }),
    { maxLength: 6 },
  );

const textOf = ({ cgroups }: FakeHost, cgroup: string, file: string) =>
  cgroups.map((each) => each.read(cgroup, file)).find((text) => text !== undefined);

/** Returns the number in a file of one limit; a file without one allows everything. */
function allowed(file: string, text: string): number {
  if (file.startsWith('blkio.')) return Number(/^254:0 (\d+)/m.exec(text)?.[1] ?? Infinity);
  const [number, period = '1'] = text.trim().split(' ');
  return number === 'max' || number === '-1' ? Infinity : Number(number) / Number(period);
}

type Allowances = ReadonlyMap<string, number>;
function allowances(host: FakeHost, version: Version, wanted: Wanted): Allowances {
  const pairs = wanted.cgroups.flatMap(({ path }) =>
    boundFiles[version].map((file) => [path, file, textOf(host, path, file)] as const),
  );
  return new Map(
    pairs.flatMap(([path, file, text]) =>
      text === undefined ? [] : [[`${path} ${file}`, allowed(file, text)] as const],
    ),
  );
}

/** Values of tenants that are not above their reseller's. */
function bounded(values: Allowances): ReadonlySet<string> {
  const isBounded = ([key, value]: readonly [string, number]) => {
    const [path = '', file = ''] = key.split(' ');
    return path.includes('/') && value <= (values.get(`${parentOf(path)} ${file}`) ?? NaN);
  };
  return new Set([...values].filter(isBounded).map(([key]) => key));
}

function execute(driver: Driver, operations: readonly Operation[], after: () => void = () => {}) {
  for (const operation of operations) {
    assert.equal(driver.execute(operation, options).ok, true, JSON.stringify(operation));
    after();
  }
}

function hostWith(version: Version, policy: Policy) {
  const host = fakeHost(version);
  const probed = host.probe();
  assert.ok(probed.ok);
  const driver = probed.value;
  const changes = (to: Policy) =>
    planChanges(wantedOnHost(to, driver.context), driver.observe(wantedOnHost(to, driver.context)));
  execute(driver, changes(policy).operations);
  return { host, driver, changes };
}

function meddle({ cgroups }: FakeHost, cgroup: string, file: string, text: string): void {
  const place = cgroups.find((each) => each.read(cgroup, file) !== undefined);
  // Nobody can write a text that the kernel refuses.
  place?.write(cgroup, file, text);
}

const pathsOf = (operation: Operation): readonly string[] => {
  switch (operation.kind) {
    case 'create':
    case 'write':
    case 'remove':
    case 'unit':
    case 'realize':
      return [operation.cgroup];
    case 'move':
      return [operation.from, operation.to];
    case 'prepare':
    case 'quota':
    case 'reload':
      return [];
  }
};

const pidOf = (uid: number, index: number) => String(4_000_000 + uid * 10 + index);

const indexOf = (operations: readonly Operation[], kind: 'create' | 'remove', cgroup: string) =>
  operations.findIndex((each) => each.kind === kind && each.cgroup === cgroup);

/** Checks the order of cgroups. A parent that is not in the plan exists already, or stays. */
function assertTreeOrder(operations: readonly Operation[]): void {
  for (const [at, operation] of operations.entries()) {
    if (operation.kind === 'create' && operation.cgroup !== '') {
      assert.ok(indexOf(operations, 'create', parentOf(operation.cgroup)) < at);
    }
    if (operation.kind === 'remove') {
      const parent = indexOf(operations, 'remove', parentOf(operation.cgroup));
      assert.ok(parent === -1 || parent > at);
    }
  }
}

for (const version of versions) {
  test(`planChanges() is empty when cgroup v${version} is as its plan leads to`, () => {
    fc.assert(
      fc.property(policies, policies, meddlingOn(version), (first, second, meddling) => {
        const { host, driver, changes } = hostWith(version, first);
        assert.deepEqual(changes(first).operations, []);
        for (const { cgroup, write } of meddling) meddle(host, cgroup, write.file, write.text);
        execute(driver, changes(second).operations);
        assert.deepEqual(changes(second).operations, []);
      }),
      { numRuns },
    );
  });

  test(`planChanges() keeps tenants within their reseller when it changes cgroup v${version}`, () => {
    fc.assert(
      fc.property(policies, policies, meddlingOn(version), (first, second, meddling) => {
        const target = hostWith(version, second);
        const wanted = wantedOnHost(second, target.driver.context);
        const bothEnds = bounded(allowances(target.host, version, wanted));
        const { host, driver, changes } = hostWith(version, first);
        for (const { cgroup, write } of meddling) meddle(host, cgroup, write.file, write.text);
        const atStart = bounded(allowances(host, version, wanted));
        const always = [...bothEnds].filter((key) => atStart.has(key));
        execute(driver, changes(second).operations, () => {
          const now = bounded(allowances(host, version, wanted));
          for (const key of always) assert.ok(now.has(key), key);
        });
      }),
      { numRuns },
    );
  });

  test(`planChanges() makes parents first and removes children first on cgroup v${version}`, () => {
    fc.assert(
      fc.property(policies, policies, (first, second) => {
        const { changes } = hostWith(version, first);
        assertTreeOrder(changes(second).operations);
        assertTreeOrder(changes(first).operations);
      }),
      { numRuns },
    );
  });

  test(`planChanges() loses no process of a tenant on cgroup v${version}`, () => {
    fc.assert(
      fc.property(policies, policies, (first, second) => {
        const { host, driver, changes } = hostWith(version, first);
        for (const tenant of first.tenants) {
          const cgroup = tenantCgroup(tenant);
          const places = [
            homeCgroup(tenant),
            ...tenant.sites.map(({ name }) => siteCgroup(cgroup, name)),
          ];
          for (const [index, place] of places.entries()) {
            for (const each of host.cgroups)
              each.put(place, 'cgroup.procs', pidOf(tenant.uid, index));
          }
        }
        const staying = second.tenants.filter(({ uid }) =>
          first.tenants.some((each) => each.uid === uid),
        );
        // Tenants who left are in the way, which their test shows.
        const others = changes(second).operations.filter(
          (each) => each.kind !== 'remove' || each.processes.length === 0,
        );
        for (const each of others) driver.execute(each, options);
        for (const tenant of staying) {
          const before = first.tenants.find(({ uid }) => uid === tenant.uid);
          const cgroup = tenantCgroup(tenant);
          const expected = ['main', ...(before?.sites ?? []).map(({ name }) => name)];
          assert.deepEqual(
            driver.processes(cgroup),
            expected.map((_, index) => Number(pidOf(tenant.uid, index))),
          );
          // A site that stays keeps its own.
          for (const [index, name] of expected.entries()) {
            if (!tenant.sites.some((site) => site.name === name)) continue;
            const pids = driver.processes(siteCgroup(cgroup, name));
            assert.deepEqual(pids, [Number(pidOf(tenant.uid, index))]);
          }
        }
      }),
      { numRuns },
    );
  });

  test(`planChanges() names only cgroups that are wanted or observed on v${version}`, () => {
    fc.assert(
      fc.property(policies, policies, meddlingOn(version), (first, second, meddling) => {
        const { host, driver, changes } = hostWith(version, first);
        for (const { cgroup, write } of meddling) meddle(host, cgroup, write.file, write.text);
        const wanted = wantedOnHost(second, driver.context);
        const { orphans } = driver.observe(wanted);
        const known = new Set([...wanted.cgroups, ...orphans].map(({ path }) => path));
        for (const path of changes(second).operations.flatMap(pathsOf))
          assert.ok(known.has(path), path);
      }),
      { numRuns },
    );
  });
}
