/** The text, settings and names of slices. */
import { writesOf } from '../../src/plan/cgroup-writes.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setting, type FileSetting } from '../../src/limits/limit.ts';
import {
  cgroupInSlice,
  cgroupPath,
  isSliceText,
  ownerOfSlice,
  scopeCgroup,
  scopeOf,
  sliceFor,
  sliceName,
  sliceNamed,
  sliceOf,
  sliceOwner,
  sliceSettings,
  slicesOfUnit,
  sliceTenant,
  sliceText,
} from '../../src/plan/slice.ts';
import { contextOf, wantedOf } from '../limits/wanted-of.ts';

const io = (device: string, value: string): FileSetting => ({
  ...setting('io.read', 'io', 'io.max', value, 'rbps=max wbps=max riops=max wiops=max'),
  device,
  write: `${device} ${value}`,
});

suite('wantedOnHost() with slices', () => {
  const unitPath = (cgroup: string) => `/etc/${sliceOf(sliceFor(cgroup))}`;
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

  test("leaves a reseller's tenants in the tree, which needs its root, and limits their user slices", () => {
    const body =
      '<reseller uid="1000"><tenant uid="1001"><processes limit="9"/></tenant></reseller>';
    assert.deepEqual(
      found(body).map(({ path, unit }) => [path, unit && { unit: unit.unit, path: unit.path }]),
      [
        ['', undefined],
        ['r1000', undefined],
        ['r1000/u1001', undefined],
        ['outside/u1001', { unit: 'user-1001.slice', path: '/etc/user-1001.slice' }],
      ],
    );
  });

  const outsideText = (limits: string, resellerLimits: string) => {
    const body = `<reseller uid="1000">${resellerLimits}<tenant uid="1001">${limits}</tenant></reseller>`;
    return found(body).find(({ kind }) => kind === 'outside')?.unit?.text ?? '';
  };

  test("limits what systemd starts for a reseller's tenant to the lower of both limits", () => {
    const text = outsideText(
      '<memory limit="64MiB"/><processes limit="40"/><cpu limit="50%"/>',
      '<memory limit="1GiB"/><processes limit="30"/><cpu weight="300"/><io read="1MiB/s"/>',
    );
    for (const line of [
      'MemoryMax=67108864',
      'TasksMax=30',
      'CPUQuota=50%',
      'IOReadBandwidthMax=/dev/block/8:0 1048576',
    ])
      assert.ok(text.split('\n').includes(line), `${line} in ${text}`);
  });

  test("lifts nothing that others limit in the slice of a reseller's tenant", () => {
    assert.equal(outsideText('', ''), '');
    assert.equal(outsideText('<memory guaranteed="0B"/>', '<cpu weight="100"/>'), '');
    const settings = outsideText('<processes limit="40"/>', '')
      .split('\n')
      .filter((line) => line.includes('='));
    assert.deepEqual(settings, ['TasksMax=40']);
  });

  test("sets only the limited caps of disks in the slice of a reseller's tenant", () => {
    const body = '<reseller uid="1000"><io read="1MiB/s"/><tenant uid="1001"/></reseller>';
    const cgroup = found(body).find(({ kind }) => kind === 'outside');
    assert.ok(cgroup !== undefined);
    const lines = (cgroup.unit?.text ?? '').split('\n').filter((line) => line.startsWith('IO'));
    assert.deepEqual(lines, ['IOReadBandwidthMax=', 'IOReadBandwidthMax=/dev/block/8:0 1048576']);
    const writes = (ioMax: string) =>
      writesOf(cgroup, { missing: [], files: new Map([['io.max', ioMax]]) }).map(
        ({ text }) => text,
      );
    // Others' limits of writes, and of another disk, stay.
    assert.deepEqual(writes('8:0 rbps=1048576 wbps=5 riops=max wiops=7\n9:0 rbps=9\n'), []);
    assert.deepEqual(writes('8:0 rbps=9 wbps=5 riops=max wiops=7\n'), ['8:0 rbps=1048576']);
    assert.deepEqual(writes(''), ['8:0 rbps=1048576']);
  });

  test("limits the swap of a reseller's tenant to the lower of what both limits imply", () => {
    const rows = [
      ['<memory limit="2GiB" swap="1GiB"/>', '<memory limit="1GiB"/>', 0],
      ['', '<memory limit="1GiB" swap="2GiB"/>', 2 ** 31],
      ['<memory limit="1GiB"/>', '', 0],
      ['<memory limit="2GiB" swap="1GiB"/>', '<memory limit="2GiB" swap="512MiB"/>', 2 ** 29],
    ] as const;
    for (const [limits, reseller, swap] of rows) {
      const [, found] = /^MemorySwapMax=(.*)$/m.exec(outsideText(limits, reseller)) ?? [];
      assert.equal(found, String(swap), `${limits} in ${reseller}`);
    }
    assert.doesNotMatch(outsideText('<processes limit="9"/>', ''), /^MemorySwapMax/m);
  });

  test("gives no guarantee outside a reseller's tenant, which has it in its cgroup", () => {
    const guaranteed = '<memory limit="64MiB" guaranteed="32MiB"/>';
    for (const text of [outsideText(guaranteed, ''), outsideText('', guaranteed)]) {
      assert.match(text, /^MemoryMax=67108864$/m);
      assert.doesNotMatch(text, /^MemoryLow/m);
    }
    const alone = found(`<tenant uid="1001">${guaranteed}</tenant>`).at(-1);
    assert.match(alone?.unit?.text ?? '', /^MemoryLow=33554432$/m);
  });

  test('makes no slice outside a tenant of a reseller where none is a slice', () => {
    const body = '<reseller uid="1000"><tenant uid="1001"/></reseller>';
    const { cgroups } = wantedOf(body, contextOf(2));
    assert.deepEqual(
      cgroups.map(({ path }) => path),
      ['', 'r1000', 'r1000/u1001'],
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

test('sliceNamed() knows a user slice outside its tenant only by its exact name', () => {
  assert.deepEqual(sliceNamed('outside/u1001'), { outside: 1001 });
  assert.equal(sliceName({ outside: 1001 }), 'outside/u1001');
  assert.equal(sliceOf({ outside: 1001 }), 'user-1001.slice');
  assert.equal(cgroupInSlice('outside/u1001'), 'user.slice/user-1001.slice');
  assert.deepEqual(slicesOfUnit('user-1001.slice'), [{ uid: 1001 }, { outside: 1001 }]);
  assert.equal(slicesOfUnit('user-1001-shop.example.slice').length, 1);
  for (const other of [
    'outside',
    'outside/',
    'outside/u1001/x',
    './u1001',
    'r1000/u1001',
    'x/outside/u1001',
  ])
    assert.equal(sliceNamed(other), undefined, other);
  assert.throws(() => sliceFor('r1000/u1001'), /is not a slice/);
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
