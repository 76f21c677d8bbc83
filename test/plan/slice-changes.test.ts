/** Plans for slices. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Observed, ObservedCgroup, OrphanCgroup } from '../../src/plan/observed.ts';
import { planChanges } from '../../src/plan/plan.ts';
import { formatOperation, formatUnit } from '../../src/plan/format.ts';
import type { Wanted, WantedCgroup } from '../../src/plan/wanted.ts';
import { slice, tasks } from './slice-settings.ts';

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

suite('planChanges() for the user slice of a tenant with a reseller', () => {
  const inTree: WantedCgroup = { path: 'r7/u1', kind: 'tenant', label: 'tenant 1', settings: [] };
  const outside: WantedCgroup = {
    ...slice(1, 5),
    path: 'outside/u1',
    kind: 'outside',
    label: 'tenant 1, outside its reseller',
  };
  const left = '~ tenant 1, outside its reseller: its cgroup is set as systemd has it';
  const there = { missing: [], files: new Map<string, string>() };

  test('moves a tenant that gets a reseller, and keeps limits in its slice throughout', () => {
    assert.deepEqual(
      planned({
        cgroups: [
          [inTree, there],
          [outside, observed(undefined, '7')],
        ],
        orphans: [orphan(1, true)],
      }),
      [
        '+ tenant 1, outside its reseller: /etc/1.conf: TasksMax 5',
        '~ tenant 1: processes from u1 to r7/u1',
        '- limits of user-1.slice',
        reload,
        '~ tenant 1, outside its reseller: systemd sets the cgroup of user-1.slice: pids.max 7 → 5',
        left,
        reload,
      ],
    );
  });

  test('leaves a limit that is no longer in the file to systemd, and nothing else', () => {
    const before = `MemoryMax=1073741824\n${tasks(5)}`;
    assert.deepEqual(planned({ cgroups: [[outside, observed(before, '5')]] }), [
      '~ tenant 1, outside its reseller: /etc/1.conf: MemoryMax → (absent)',
      reload,
      left,
      reload,
    ]);
    for (const as of [observed(before), observed(undefined, '5')]) {
      const [file, ...rest] = planned({ cgroups: [[outside, as]] });
      assert.match(file ?? '', /\/etc\/1\.conf/);
      assert.deepEqual(rest, [reload]);
    }
    assert.deepEqual(planned({ cgroups: [[outside, observed(tasks(5), '5')]] }), []);
  });

  test('reloads after systemd has set the cgroup, which leaves a setting of its own', () => {
    assert.deepEqual(planned({ cgroups: [[outside, observed(tasks(5), '77')]] }), [
      reload,
      '~ tenant 1, outside its reseller: systemd sets the cgroup of user-1.slice: pids.max 77 → 5',
      reload,
    ]);
  });

  test('keeps the processes of a tenant that loses its reseller where they are', () => {
    assert.deepEqual(
      planned({
        cgroups: [[slice(1, 5), observed(undefined, '5')]],
        orphans: [{ ...orphan(1, true), path: 'outside/u1' }],
      }),
      ['+ tenant 1: /etc/1.conf: TasksMax 5', '- limits of user-1.slice', reload],
    );
  });

  test('leaves the slice to systemd when the tenant leaves the policy', () => {
    assert.deepEqual(planned({ orphans: [{ ...orphan(1, true), path: 'outside/u1' }] }), [
      '- limits of user-1.slice',
      reload,
      '~ user-1.slice: its cgroup is set as systemd has it',
      reload,
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
