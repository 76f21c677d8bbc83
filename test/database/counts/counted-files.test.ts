/** The files of CPU limits toward which the use of servers counts, where tenants are slices of systemd. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countedLimits } from '../../../src/database/io/counts/counted-files.ts';
import type { Tree } from '../../../src/host/driver.ts';
import type { WantedContext } from '../../../src/plan/wanted.ts';
import { wantedOnHost } from '../../../src/plan/wanted-on-host.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { fakeHost } from '../../../testing/fake-host.ts';

const { document } = parsePolicy(
  'policy.xml',
  `<bulkhead version="1"><defaults><cpu limit="33.333%"/><database counts="yes"/></defaults>
  <tenant uid="5001"><site name="a.example"/></tenant><tenant uid="5003"><database counts="no"/></tenant>
  <reseller uid="5010"><cpu limit="100%"/><tenant uid="5002"/></reseller></bulkhead>`,
);
assert.ok(document !== undefined);
const policy = resolvePolicy(document, { accounts: [], uidMin: 1000 });

function driverOf() {
  const host = fakeHost(2);
  const probed = host.probe();
  assert.ok(probed.ok);
  const { tree, context } = probed.value;
  const slices: NonNullable<Tree['slices']> = {
    instance: 'bulkhead',
    hasCgroup: () => true,
    processes: () => [],
  };
  const own: WantedContext = {
    ...context,
    shifted: true,
    unitPath: (cgroup) => `/etc/systemd/system/${cgroup}.conf`,
  };
  return { tree: { ...tree, slices }, context: own };
}

test('they are those of the slice, or of the tree of resellers, with what systemd can set', () => {
  const limits = countedLimits(policy, driverOf(), new Set());
  const filesOf = (uid: number) =>
    limits.get(`u${uid}`)?.files.map(({ path, text }) => [path, text]);
  assert.deepEqual([...limits.keys()].sort(), ['r5010', 'u5001', 'u5002']);
  assert.deepEqual(
    [limits.get('u5001')?.reseller, limits.get('u5002')?.reseller],
    [undefined, 'r5010'],
  );
  assert.deepEqual([limits.get('u5001')?.full, limits.get('u5002')?.full], [33_330, 33_333]);
  assert.deepEqual(filesOf(5001), [['/fake/user.slice/user-5001.slice/cpu.max', '33330 100000']]);
  const inTree = '/fake/cpu,io,memory,pids/bulkhead/r5010/u5002';
  assert.deepEqual(filesOf(5002), [
    [`${inTree}/cpu.max`, '33333 100000'],
    [`${inTree}/cpu.max.burst`, '0'],
  ]);
  // One that was lowered and does not count any more gets what the policy wants.
  assert.equal(countedLimits(policy, driverOf(), new Set(['u5003'])).get('u5003')?.full, 33_330);
  assert.deepEqual(
    limits.get('r5010')?.files.map(({ path, text }) => [path, text]),
    [
      ['/fake/cpu,io,memory,pids/bulkhead/r5010/cpu.max', '100000 100000'],
      ['/fake/cpu,io,memory,pids/bulkhead/r5010/cpu.max.burst', '0'],
    ],
  );
});

test('a plan takes lowered quotas of slices for the wanted ones, and the file for systemd has the whole limit', () => {
  const { context } = driverOf();
  const accepts = (uid: number, text: string) => {
    const { cgroups } = wantedOnHost(policy, context);
    const slice = cgroups.find(({ path }) => path === `u${uid}`);
    assert.match(slice?.unit?.text ?? '', /^CPUQuota=33.33%$/m);
    const quota = slice?.settings.find(({ file }) => file === 'cpu.max');
    return quota?.accepts?.(() => text) ?? false;
  };
  assert.equal(accepts(5001, '20000 100000\n'), true);
  assert.equal(accepts(5001, '3000 100000\n'), false);
  assert.equal(accepts(5001, '40000 100000\n'), false);
  assert.equal(accepts(5001, '20000 50000\n'), false);
  assert.equal(accepts(5001, 'max 100000\n'), false);
  assert.equal(accepts(5003, '20000 100000\n'), false);
});
