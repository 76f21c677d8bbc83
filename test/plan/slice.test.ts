import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setting, type FileSetting } from '../../src/limits/limit.ts';
import type { Observed, ObservedCgroup, OrphanCgroup } from '../../src/plan/observed.ts';
import { planChanges } from '../../src/plan/plan.ts';
import { formatOperation, formatUnit } from '../../src/plan/format.ts';
import {
  cgroupInSlice,
  cgroupPath,
  isSliceText,
  ownerOfSlice,
  scopeCgroup,
  scopeOf,
  sliceName,
  sliceOf,
  sliceOwner,
  sliceSettings,
  sliceTenant,
  sliceText,
} from '../../src/plan/slice.ts';
import type { Wanted, WantedCgroup } from '../../src/plan/wanted.ts';
import { contextOf, wantedOf } from '../limits/wanted-of.ts';

const io = (device: string, value: string): FileSetting => ({
  ...setting('io.read', 'io', 'io.max', value, 'rbps=max wbps=max riops=max wiops=max'),
  device,
  write: `${device} ${value}`,
});

suite('wantedOnHost() with slices', () => {
  const unitPath = (unit: string) => `/etc/${unit}`;
  const found = (body: string) => wantedOf(body, { ...contextOf(2), unitPath }).cgroups;
  const long = `${`${'a'.repeat(60)}.`.repeat(4)}example`;
  const divided = `<tenant uid="1001"><memory limit="64MiB"/><site name="a.example"/><site name="${long}"/></tenant>`;

  test('gives a tenant and its sites a unit file, and makes no root and no main part', () => {
    assert.deepEqual(
      found(divided).map(({ path, unit }) => [path, unit?.path]),
      [
        ['u1001', '/etc/user-1001.slice'],
        ['u1001/s-a.example', '/etc/user-1001-a.example.slice'],
        [`u1001/s-${long}`, undefined],
      ],
    );
  });

  test('sets nothing in a site whose name is too long for a unit', () => {
    const [tenant, , misfit] = found(divided);
    assert.deepEqual(misfit?.settings, []);
    assert.match(tenant?.unit?.text ?? '', /^MemoryMax=67108864$/m);
    assert.equal(tenant?.unit?.text, sliceText(tenant?.settings ?? []));
  });

  test("leaves a reseller's tenants in the tree, which needs its root", () => {
    const body = '<reseller uid="1000"><tenant uid="1001"/></reseller>';
    assert.deepEqual(
      found(body).map(({ path, unit }) => [path, unit]),
      [
        ['', undefined],
        ['r1000', undefined],
        ['r1000/u1001', undefined],
      ],
    );
  });
});

test('sliceText() writes every value as systemd reads it, and empties lists first', () => {
  const text = sliceText([
    setting('cpu.limit', 'cpu', 'cpu.max', '33330 100000', 'max 100000'),
    setting('cpu.weight', 'cpu', 'cpu.weight', '30', '100'),
    setting('memory.guaranteed', 'memory', 'memory.low', '33554432', '0'),
    setting('memory.soft', 'memory', 'memory.high', 'max', 'max'),
    setting('memory.limit', 'memory', 'memory.max', '67108864', 'max'),
    setting('memory.swap', 'memory', 'memory.swap.max', '0', 'max'),
    io('254:0', 'rbps=5242880 wbps=max riops=500 wiops=max'),
    io('8:0', 'rbps=max wbps=max riops=max wiops=max'),
    setting('processes.limit', 'pids', 'pids.max', '40', 'max'),
  ]);
  assert.ok(isSliceText(text));
  assert.ok(isSliceText(''), 'left by a loss of power');
  assert.equal(
    text,
    `# Written by "bulkhead apply"; it is replaced when it differs.
[Slice]
CPUAccounting=yes
IOAccounting=yes
MemoryAccounting=yes
TasksAccounting=yes
CPUQuota=33.33%
CPUQuotaPeriodSec=100ms
CPUWeight=30
MemoryLow=33554432
MemoryHigh=infinity
MemoryMax=67108864
MemorySwapMax=0
TasksMax=40
IOReadBandwidthMax=
IOReadBandwidthMax=/dev/block/254:0 5242880
IOReadBandwidthMax=/dev/block/8:0 infinity
IOWriteBandwidthMax=
IOWriteBandwidthMax=/dev/block/254:0 infinity
IOWriteBandwidthMax=/dev/block/8:0 infinity
IOReadIOPSMax=
IOReadIOPSMax=/dev/block/254:0 500
IOReadIOPSMax=/dev/block/8:0 infinity
IOWriteIOPSMax=
IOWriteIOPSMax=/dev/block/254:0 infinity
IOWriteIOPSMax=/dev/block/8:0 infinity
`,
  );
});

test('sliceText() lifts a quota with an empty CPUQuota', () => {
  const text = sliceText([setting('cpu.limit', 'cpu', 'cpu.max', 'max 100000', 'max 100000')]);
  assert.match(text, /^CPUQuota=$/m);
});

test('sliceSettings() drops what systemd cannot set, and rounds quotas down', () => {
  const settings = [
    setting('cpu.burst', 'cpu', 'cpu.max.burst', '20000', '0'),
    setting('cpu.limit', 'cpu', 'cpu.max', '33333 100000', 'max 100000'),
    setting('cpu.limit', 'cpu', 'cpu.max', 'max 100000', 'max 100000'),
  ];
  assert.deepEqual(
    sliceSettings(settings).map(({ file, value, write }) => [file, value, write]),
    [
      ['cpu.max', '33330 100000', '33330 100000'],
      ['cpu.max', 'max 100000', 'max 100000'],
    ],
  );
  // Each percentage that a whole number of steps gives is exact in text.
  for (let quota = 1000; quota < 250_000; quota += 10) {
    const text = sliceText([setting('cpu.limit', 'cpu', 'cpu.max', `${quota} 100000`, '')]);
    assert.match(text, /^CPUQuota=\d+(\.\d\d?)?%$/m, String(quota));
  }
});

test('sliceTenant() returns a uid only for the cgroup of a tenant without a reseller', () => {
  assert.equal(sliceTenant('u1001'), 1001);
  for (const other of ['', 'r1001', 'r1000/u1001', './u1001', 'u', 'u1001/x', 'u12345678901']) {
    assert.equal(sliceTenant(other), undefined, other);
  }
  assert.equal(cgroupInSlice('u1001/a.scope'), 'user.slice/user-1001.slice/a.scope');
  assert.equal(cgroupInSlice('u1001/./s-a.scope'), 'user.slice/user-1001.slice/./s-a.scope');
  assert.equal(cgroupInSlice('r1000/u1001'), undefined);
  const root = { path: '/bulkhead-tenants.service' };
  assert.equal(cgroupPath(root, 'u1001'), '/bulkhead-tenants.service/u1001');
  const withSlices = { ...root, slices: { path: '/user.slice' } };
  assert.equal(cgroupPath(withSlices, 'u1001'), '/user.slice/user-1001.slice');
  assert.equal(cgroupPath(withSlices, 'r1/u2'), '/bulkhead-tenants.service/r1/u2');
});

test('sliceOf() returns a distinct slice for each site, below the slice of its tenant', () => {
  const shop = { uid: 1001, site: 'my-shop.example' };
  const slice = String.raw`user-1001-my\x2dshop.example.slice`;
  const cgroup = `user.slice/user-1001.slice/${slice}`;
  assert.equal(sliceOf(shop), slice);
  assert.deepEqual(sliceOwner('u1001/s-my-shop.example'), shop);
  assert.equal(sliceName(shop), 'u1001/s-my-shop.example');
  assert.equal(cgroupInSlice('u1001/s-my-shop.example'), cgroup);
  assert.equal(cgroupInSlice('u1001/s-my-shop.example/x'), `${cgroup}/x`);
  assert.equal(
    scopeCgroup('bulkhead', shop),
    String.raw`${cgroup}/bulkhead-1001-my\x2dshop.example.scope`,
  );
  const root = { path: '/bulkhead-tenants.service', slices: { path: '/c/user.slice' } };
  assert.equal(cgroupPath(root, 'u1001/s-my-shop.example'), `/c/${cgroup}`);

  const names = ['a', 'a-b', 'a.b', 'a_b', 'a--b', 'x2d', 'a-x2db', '1002', 'xn--a-b', 'main'];
  const units = names.map((site) => sliceOf({ uid: 1001, site }));
  assert.equal(new Set(units).size, names.length);
  for (const [index, unit] of units.entries()) {
    // One dash more would be a slice of another level.
    assert.equal(unit.split('-').length, 3, unit);
    assert.deepEqual(ownerOfSlice(unit), { uid: 1001, site: names[index] });
  }
  for (const other of [
    'user-.slice',
    'user-1001-.slice',
    'user-1001-a-b.slice',
    'user-x.slice',
    'user-1001.scope',
  ]) {
    assert.equal(ownerOfSlice(other), undefined, other);
  }
});

test('sliceOf() and scopeOf() return names that fit systemd and the kernel', () => {
  const owner = (site: string) => ({ uid: 4_294_967_294, site });
  const longest = ['a'.repeat(190), `${'-'.repeat(47)}aa`];
  for (const site of longest) {
    assert.deepEqual(sliceOwner(sliceName(owner(site))), owner(site));
    assert.equal(sliceOwner(sliceName(owner(`${site}a`))), undefined);
    const names = [`${sliceOf(owner(site))}.d`, scopeOf('i'.repeat(41), owner(site))];
    for (const name of names) assert.ok(name.length <= 255, name);
  }
});

const tasks = (count: number) => `[Slice]\nTasksMax=${count}\n`;

function slice(uid: number, count: number): WantedCgroup {
  return {
    path: `u${uid}`,
    kind: 'tenant',
    label: `tenant ${uid}`,
    settings: [setting('processes.limit', 'pids', 'pids.max', String(count), 'max')],
    unit: { unit: `user-${uid}.slice`, path: `/etc/${uid}.conf`, text: tasks(count) },
  };
}

const observed = (text: string | undefined, pidsMax?: string): ObservedCgroup => ({
  missing: [],
  files: new Map(pidsMax === undefined ? [] : [['pids.max', `${pidsMax}\n`]]),
  unit: { text, active: pidsMax !== undefined },
});

const orphan = (uid: number, active: boolean): OrphanCgroup => ({
  path: `u${uid}`,
  hierarchies: ['unified'],
  processes: [],
  unit: { unit: `user-${uid}.slice`, path: `/etc/${uid}.conf`, active },
});

interface Given {
  readonly cgroups?: readonly (readonly [WantedCgroup, ObservedCgroup])[];
  readonly orphans?: readonly OrphanCgroup[];
  readonly stale?: boolean;
}

function planned({ cgroups = [], orphans = [], stale = false }: Given): readonly string[] {
  const wanted: Wanted = { cgroups: cgroups.map(([each]) => each), quotas: [], quotasLeft: [] };
  const now: Observed = {
    cgroups: new Map(cgroups.map(([{ path }, each]) => [path, each])),
    orphans,
    quotas: new Map(),
    preparations: [],
    stale,
  };
  return planChanges(wanted, now).operations.map((each) => formatOperation(each));
}

const reload = '~ systemd reads its files again';

suite('planChanges() for slices', () => {
  test('plans nothing when files and active slices are as wanted', () => {
    assert.deepEqual(
      planned({
        cgroups: [
          [slice(1, 5), observed(tasks(5))],
          [slice(2, 5), observed(tasks(5), '5')],
        ],
      }),
      [],
    );
  });

  test('writes all files, reloads once, and sets the cgroups of active slices', () => {
    assert.deepEqual(
      planned({
        cgroups: [
          [slice(1, 5), observed(undefined)],
          [slice(2, 5), observed(tasks(4), '4')],
          [slice(3, 5), observed(tasks(4), '5')],
        ],
      }),
      [
        '+ tenant 1: /etc/1.conf: TasksMax 5',
        '~ tenant 2: /etc/2.conf: TasksMax 4 → 5',
        '~ tenant 3: /etc/3.conf: TasksMax 4 → 5',
        reload,
        '~ tenant 2: systemd sets the cgroup of user-2.slice: pids.max 4 → 5',
      ],
    );
  });

  test('reloads and sets a slice whose cgroup differs in the kernel', () => {
    assert.deepEqual(planned({ cgroups: [[slice(1, 5), observed(tasks(5), 'max')]] }), [
      reload,
      '~ tenant 1: systemd sets the cgroup of user-1.slice: pids.max max → 5',
    ]);
  });

  test('reloads when an earlier apply failed to reload', () => {
    assert.deepEqual(planned({ cgroups: [[slice(1, 5), observed(tasks(5))]], stale: true }), [
      reload,
    ]);
  });

  test('removes the files of slices without a tenant, and reloads again when one is active', () => {
    assert.deepEqual(planned({ orphans: [orphan(8, false)] }), [
      '- limits of user-8.slice',
      reload,
    ]);
    assert.deepEqual(planned({ orphans: [orphan(8, false), orphan(9, true)] }), [
      '- limits of user-8.slice',
      '- limits of user-9.slice',
      reload,
      '~ user-9.slice: its cgroup is set as systemd has it',
      reload,
    ]);
  });

  test("moves a tenant before its slice's file is removed, or after systemd has read it", () => {
    const inTree: WantedCgroup = { path: 'r7/u1', kind: 'tenant', label: 'tenant 1', settings: [] };
    assert.deepEqual(
      planned({
        cgroups: [[inTree, { missing: [], files: new Map() }]],
        orphans: [orphan(1, true)],
      }),
      [
        '~ tenant 1: processes from u1 to r7/u1',
        '- limits of user-1.slice',
        reload,
        '~ user-1.slice: its cgroup is set as systemd has it',
        reload,
      ],
    );
    const left = { path: 'r7/u1', hierarchies: ['unified'], processes: [12] };
    assert.deepEqual(planned({ cgroups: [[slice(1, 5), observed(undefined)]], orphans: [left] }), [
      '+ tenant 1: /etc/1.conf: TasksMax 5',
      reload,
      '~ tenant 1: processes from r7/u1 to u1',
      '- cgroup r7/u1',
    ]);
  });
});

suite('planChanges() for slices of sites', () => {
  const site = (path: string, name: string): WantedCgroup => ({
    path: `${path}/s-${name}`,
    kind: 'site',
    label: `site ${name}`,
    settings: [],
    unit: { unit: `user-1-${name}.slice`, path: `/etc/1-${name}.conf`, text: tasks(3) },
  });
  const siteOrphan = (path: string): OrphanCgroup => ({ ...orphan(1, true), path });

  test('resets the slice of a removed site, and moves none of its processes', () => {
    assert.deepEqual(
      planned({
        cgroups: [[slice(1, 5), observed(tasks(5), '5')]],
        orphans: [
          {
            ...siteOrphan('u1/s-a'),
            unit: { unit: 'user-1-a.slice', path: '/etc/1-a.conf', active: true },
          },
        ],
      }),
      [
        '- limits of user-1-a.slice',
        reload,
        '~ user-1-a.slice: its cgroup is set as systemd has it',
        reload,
      ],
    );
  });

  test('moves each part of a divided tenant from the tree to its slice', () => {
    const parts = ['./u1/main', './u1/s-a', './u1/s-b', './u1'];
    assert.deepEqual(
      planned({
        cgroups: [
          [slice(1, 5), observed(undefined)],
          [site('u1', 'a'), observed(undefined)],
        ],
        orphans: parts.map((path) => ({ path, hierarchies: ['unified'], processes: [12] })),
      }),
      [
        '+ tenant 1: /etc/1.conf: TasksMax 5',
        '+ site a: /etc/1-a.conf: TasksMax 3',
        reload,
        '~ tenant 1: processes from ./u1/main to u1',
        '~ tenant 1: processes from ./u1/s-a to u1/s-a',
        '~ tenant 1: processes from ./u1/s-b to u1',
        '~ tenant 1: processes from ./u1 to u1',
        '- cgroup ./u1',
      ],
    );
  });

  test('moves sites first when their tenant gets a reseller, and removes their limits', () => {
    const kinds = { 'r7/u1': 'tenant', 'r7/u1/main': 'main', 'r7/u1/s-a': 'site' } as const;
    const inTree = Object.entries(kinds).map(([path, kind]): WantedCgroup => {
      return { path, kind, label: 'tenant 1', settings: [] };
    });
    assert.deepEqual(
      planned({
        cgroups: inTree.map((each) => [each, { missing: [], files: new Map() }]),
        orphans: [siteOrphan('u1/s-a'), orphan(1, false)],
      }).slice(0, 5),
      [
        '~ tenant 1: processes from u1/s-a to r7/u1/s-a',
        '- limits of user-1.slice',
        '~ tenant 1: processes from u1 to r7/u1/main',
        '- limits of user-1.slice',
        reload,
      ],
    );
  });
});

test('formatUnit() names each changed setting with its disk', () => {
  const line = (...caps: string[]) => caps.map((each) => `IOReadBandwidthMax=${each}\n`).join('');
  const operation = {
    kind: 'unit',
    cgroup: 'u1',
    label: 'tenant 1',
    unit: 'user-1.slice',
    path: '/etc/1.conf',
    from: `${line('', '/dev/block/8:0 1', '/dev/block/8:1 7')}TasksMax=3\n`,
    text: `${line('', '/dev/block/8:0 2')}CPUAccounting=yes\nTasksMax=3\n`,
    writes: [],
  } as const;
  assert.equal(
    formatUnit(operation),
    '/etc/1.conf: IOReadBandwidthMax /dev/block/8:0 1 → 2, IOReadBandwidthMax /dev/block/8:1 → (absent)',
  );
});
