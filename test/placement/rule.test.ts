/** The rule of strict placement, and the bytes that BPF programs get of it. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Driver, Tree } from '../../src/host/driver.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import {
  placementMapEntries,
  nameLengthMax,
  placeBytes,
  rangeBytes,
  placementSelfTestEntry,
  type CgroupPath,
  type StrictRule,
} from '../../src/placement/core/strict-rule.ts';
import { strictRuleOf } from '../../src/placement/io/rule-of-policy.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const root = suiteDirectory('placement-rule');
const mountPoint = join(root, 'cgroup');
const own = join(mountPoint, 'bulkhead');
const paths: Paths = {
  ...pathsOf(),
  etc: join(root, 'etc'),
  sys: join(root, 'sys'),
  state: join(root, 'state'),
  runtime: join(root, 'run'),
};
for (const each of [own, join(own, 'r2000'), join(mountPoint, 'user.slice'), paths.etc])
  mkdirSync(each, { recursive: true });
writeFileSync(
  join(paths.etc, 'passwd'),
  'alice:x:1001:1001::/home/alice:/bin/sh\nbob:x:1002:1002::/home/bob:/bin/sh\n',
);
const inodeOf = (path: string) => statSync(path, { bigint: true }).ino;

function policyOf(body: string): Policy {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document && !document.diagnostics.failed);
  return resolvePolicy(document, { accounts: [], uidMin: 1000 });
}

/** Returns a driver with nothing but the tree, which is all that a rule needs of one. */
const driverOf = (tree: Partial<Tree> = {}): Driver =>
  ({
    tree: {
      version: 2,
      hierarchies: [
        { name: 'unified', controllers: new Set(), mountPoint, rootPath: own, files: undefined },
      ],
      ...tree,
    },
  }) as unknown as Driver;

const slices = { instance: 'bulkhead', hasCgroup: () => false, processes: () => [] };
const strict = '<placement strict="yes"/>';
const twoTenants = '<tenant uid="1002"/><tenant uid="1001"/>';

function ruleOf(body: string, driver = driverOf()): StrictRule | undefined {
  const rule = strictRuleOf(policyOf(body), driver, paths);
  assert.ok(rule.ok, rule.ok ? '' : formatProblem(rule.error));
  return rule.value;
}

function refusalOf(body: string, driver = driverOf()): string {
  const rule = strictRuleOf(policyOf(body), driver, paths);
  assert.ok(!rule.ok);
  return formatProblem(rule.error);
}

suite('strictRuleOf()', () => {
  test('returns no rule for a policy without <placement> and <modules>', () => {
    assert.equal(ruleOf(twoTenants), undefined);
  });

  test('returns tenants by uid, each below the root cgroup of the instance', () => {
    assert.deepEqual(ruleOf(`${strict}${twoTenants}`), {
      placement: 'on',
      modules: undefined,
      places: [
        { uid: 1001, parent: inodeOf(own), level: 1, name: 'u1001' },
        { uid: 1002, parent: inodeOf(own), level: 1, name: 'u1002' },
      ],
      ranges: [],
    });
  });

  test('returns mode "watch", and no placement when the policy has only <modules>', () => {
    const watched = ruleOf('<placement strict="watch"/><tenant uid="1001"/>');
    assert.deepEqual([watched?.placement, watched?.modules], ['watch', undefined]);
    const modules = ruleOf('<modules autoload="no"/><tenant uid="1001"/>');
    assert.deepEqual([modules?.placement, modules?.modules], [undefined, 'on']);
  });

  test("puts a reseller's tenant below the reseller's cgroup", () => {
    const rule = ruleOf(`${strict}<reseller uid="2000"><tenant uid="1001"/></reseller>`);
    assert.deepEqual(
      rule?.places.filter(({ uid }) => uid === 1001),
      [{ uid: 1001, parent: inodeOf(join(own, 'r2000')), level: 2, name: 'u1001' }],
    );
  });

  test('puts a tenant with a slice below user.slice, but not a tenant of a reseller', () => {
    const body = `${strict}<tenant uid="1001"/><reseller uid="2000"><tenant uid="1002"/></reseller>`;
    const rule = ruleOf(body, driverOf({ slices }));
    assert.deepEqual(
      rule?.places.filter(({ uid }) => uid < 2000),
      [
        {
          uid: 1001,
          parent: inodeOf(join(mountPoint, 'user.slice')),
          level: 1,
          name: 'user-1001.slice',
        },
        { uid: 1002, parent: inodeOf(join(own, 'r2000')), level: 2, name: 'u1002' },
      ],
    );
  });

  test('accepts a tenant whose own cgroup does not exist yet', () => {
    rmSync(join(own, 'u1001'), { recursive: true, force: true });
    assert.equal(ruleOf(`${strict}<tenant uid="1001"/>`)?.places.length, 1);
  });

  test('refuses when the directory above a tenant is missing, and names it and the command', () => {
    assert.equal(
      refusalOf(`${strict}<reseller uid="2001"><tenant uid="1001"/></reseller>`),
      `Cannot find the cgroups of tenants for strict placement "${own}/r2001": it does not exist; run: bulkhead apply`,
    );
  });

  test('refuses cgroup v1, and names the element to remove', () => {
    const expected =
      'Cannot find the cgroups of tenants for strict placement: it needs cgroup v2, where each process has one cgroup; take <placement> out of the policy';
    assert.equal(refusalOf(`${strict}${twoTenants}`, driverOf({ version: 1 })), expected);
    assert.equal(refusalOf(`${strict}${twoTenants}`, driverOf({ hierarchies: [] })), expected);
  });

  test('returns subordinate uids of tenants only, disjoint, and never those of an account', () => {
    writeFileSync(
      join(paths.etc, 'subuid'),
      [
        'bob:1000:5', // It would give alice's own uid to bob.
        'alice:100000:65536',
        'bob:165000:2000', // Its beginning is alice's already.
        'carol:300000:10', // She is not a tenant.
        'alice:400000:0',
        'alice:x:10',
        '1001:500000:1',
      ].join('\n'),
    );
    assert.deepEqual(ruleOf(`${strict}${twoTenants}`)?.ranges, [
      { first: 1000, last: 1000, owner: 1002 },
      { first: 1003, last: 1004, owner: 1002 },
      { first: 100_000, last: 165_535, owner: 1001 },
      { first: 165_536, last: 166_999, owner: 1002 },
      { first: 500_000, last: 500_000, owner: 1001 },
    ]);
    rmSync(join(paths.etc, 'subuid'));
  });
});

suite('placementMapEntries()', () => {
  const rule: StrictRule = { placement: undefined, modules: undefined, places: [], ranges: [] };
  const settingsOf = (more: Partial<StrictRule>) =>
    placementMapEntries({ ...rule, ...more })
      .filter(({ map }) => map === 'settings')
      .map(({ value }) => value.toHex());

  test('numbers modes as the BPF programs do: 0 off, 1 on, 2 watch', () => {
    assert.deepEqual(settingsOf({}), ['000000000000000000000000']);
    assert.deepEqual(settingsOf({ placement: 'on', modules: 'watch' }), [
      '010000000200000000000000',
    ]);
    assert.deepEqual(settingsOf({ placement: 'watch', modules: 'on' }), [
      '020000000100000000000000',
    ]);
  });

  test('counts ranges, and numbers them from 0', () => {
    const ranges = [
      { first: 100_000, last: 165_535, owner: 1001 },
      { first: 200_000, last: 200_000, owner: 1002 },
    ];
    assert.deepEqual(settingsOf({ ranges }), ['000000000000000002000000']);
    assert.deepEqual(
      placementMapEntries({ ...rule, ranges })
        .filter(({ map }) => map === 'ranges')
        .map(({ key }) => key.toHex()),
      ['00000000', '01000000'],
    );
  });

  test('has no tenant entries without tenants; the self-test entry is impossible', () => {
    assert.deepEqual(
      placementMapEntries(rule).filter(({ map }) => map === 'tenants'),
      [],
    );
    const { map, key, value } = placementSelfTestEntry(0xfff1_0000);
    assert.equal(map, 'tenants');
    assert.equal(key.toHex(), '0000f1ff');
    assert.equal(value.toHex().slice(16, 24), 'ffffffff', 'the level');
  });
});

suite('placeBytes() and rangeBytes()', () => {
  const place: CgroupPath = { uid: 1, parent: 1n, level: 0, name: '' };

  test('keep the NUL after the longest name', () => {
    const name = 'x'.repeat(nameLengthMax);
    const bytes = placeBytes({ ...place, name });
    assert.equal(bytes.length, 56);
    assert.equal(new TextDecoder().decode(bytes.subarray(12, 12 + 39)), name);
    assert.equal(bytes[12 + 39], 0);
    assert.deepEqual(placeBytes({ ...place, name: `${name}yz` }), bytes, 'no byte further');
  });

  test('keep all 64 bits of an inode', () => {
    const bytes = placeBytes({ ...place, parent: 0xffff_ffff_ffff_fffen });
    assert.equal(bytes.subarray(0, 8).toHex(), 'feffffffffffffff');
  });

  test('include both ends of a range', () => {
    assert.equal(rangeBytes({ first: 5, last: 5, owner: 9 }).toHex(), '050000000100000009000000');
    assert.equal(
      rangeBytes({ first: 1, last: 0xffff_fffe, owner: 9 }).toHex(),
      '01000000feffffff09000000',
    );
  });
});
