/**
 * Sites of tenants that are systemd slices: slices inside the tenants', with limits of their own wherever something
 * starts in them. The tests need systemd, so they run in the virtual machine.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Meter } from '../../src/agent/sampling/meter.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { applyPolicy, planPolicy, releaseAll } from '../../src/apply/apply.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { linuxHost, type Host } from '../../src/host/host.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { formatOperation } from '../../src/plan/format.ts';
import type { DriverName } from '../../src/policy/document.ts';
import { eventually } from '../../testing/patience.ts';
import { messageOf, mustApply, policyOf } from './suite.ts';
import { launcher } from '../../testing/launcher.ts';

const instance = 'bulkhead-slice-sites';
const uid = 64_233;
const paths = pathsOf(instance);
const real = linuxHost(paths);
const hostWith = (name: DriverName): Host => ({
  paths,
  probe: (asked = name) => real.probe(asked),
});
const systemd = hostWith('systemd');
const cgroup2 = hostWith('cgroup2');
const name = 'my-shop.example';
const tenantWith = (sites: string) =>
  `<tenant uid="${uid}"><memory limit="200MiB"/><processes limit="50"/>${sites}</tenant>`;
const siteWith = (processes: number, more = '') =>
  `<site name="${name}">${more}<processes limit="${processes}"/></site>`;
const plain = tenantWith('');
const divided = tenantWith(siteWith(9));
const slice = `/user.slice/user-${uid}.slice`;
const escaped = String.raw`my\x2dshop.example`;
const siteSlice = `${slice}/user-${uid}-${escaped}.slice`;
const scope = `0::${slice}/${instance}-${uid}.scope`;
const siteScope = `0::${siteSlice}/${instance}-${uid}-${escaped}.scope`;
const valueOf = (cgroup: string, file: string) =>
  readFileSync(`/sys/fs/cgroup${cgroup}/${file}`, 'utf8').trim();

const probed = systemd.probe();
const clear = () => {
  assert.deepEqual(releaseAll(systemd, { kill: true }), { ok: true, value: undefined });
  const files = readdirSync('/etc/systemd/system').filter((each) => each.includes(String(uid)));
  assert.deepEqual(files, []);
};
const driverHere = () => {
  const driver = systemd.probe();
  assert.ok(driver.ok);
  return driver.value;
};
const drift = (body: string) =>
  planPolicy(policyOf(body), driverHere()).operations.map((each) => formatOperation(each));
const cgroupOf = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim();
const asTenant = (options: readonly string[], ...command: readonly string[]) =>
  [launcher, ['--instance', instance, ...options, String(uid), '--', ...command]] as const;
const inSite = ['--site', name];

/** Starts a process that sleeps as the tenant, and ends it when disposed. */
async function sleeper(...options: readonly string[]): Promise<Disposable & { pid: number }> {
  const child = spawn(...asTenant(options, 'sleep', '3600'), { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  await eventually('it sleeps', () => {
    assert.equal(child.exitCode ?? child.signalCode, null, 'it has ended');
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n';
  });
  return { pid, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

if (!probed.ok) {
  test('sites as systemd slices', { skip: formatProblem(probed.error) }, () => {});
} else {
  clear();

  test("apply makes a site a slice in its tenant's slice", async () => {
    try {
      mustApply(divided, systemd);
      assert.deepEqual(drift(divided), []);
      using visit = await sleeper(...inSite);
      using other = await sleeper();
      assert.equal(cgroupOf(visit.pid), siteScope);
      assert.equal(cgroupOf(other.pid), scope);
      assert.deepEqual(
        [slice, siteSlice].map((each) => valueOf(each, 'pids.max')),
        ['50', '9'],
      );
      assert.deepEqual(drift(divided), []);
      const changed = tenantWith(siteWith(7, '<cpu limit="20%"/>'));
      assert.deepEqual(
        mustApply(changed, systemd).operations.map(({ kind }) => kind),
        ['unit', 'reload', 'realize'],
      );
      assert.equal(valueOf(siteSlice, 'pids.max'), '7');
      assert.equal(valueOf(siteSlice, 'cpu.max'), '20000 100000');
      writeFileSync(`/sys/fs/cgroup${siteSlice}/pids.max`, 'max');
      assert.match(drift(changed).join(), /site uid \d+\/my-shop.example: .*pids\.max max → 7/);
      mustApply(changed, systemd);
      assert.deepEqual(drift(changed), []);
      const driver = driverHere();
      assert.deepEqual(driver.processes(`u${uid}/s-${name}`), [visit.pid]);
      assert.deepEqual(
        driver.processes(`u${uid}`),
        [visit.pid, other.pid].sort((a, b) => a - b),
      );
      for (const [site, code, said] of [
        ['other.example', 1, /has no site/],
        ['my', 1, /has no site/],
        ['main', 1, /has no site/],
        ['..', 2, /is not the name of a site/],
        ['-', 1, /has no site/],
      ] as const) {
        const { status, stderr } = spawnSync(...asTenant(['--site', site], 'true'));
        assert.equal(status, code, site);
        assert.match(String(stderr), said);
      }
    } finally {
      clear();
    }
  });

  test("Meter counts a site's use, and charges its hits to no tenant", async () => {
    const policy = policyOf(divided);
    try {
      mustApply(divided, systemd);
      using meter = new Meter(driverHere().tree, new MemberIndex(policy));
      const sample = () => {
        const { readings, missing } = meter.sample();
        assert.deepEqual(missing, []);
        return Object.fromEntries(readings.map(({ member, now }) => [member, now]));
      };
      const [tenant, site] = [`u${uid}`, `u${uid}/${name}`];
      assert.deepEqual(Object.keys(sample()).sort(), [tenant, site]);
      using _other = await sleeper();
      {
        using _visit = await sleeper(...inSite);
        const now = sample();
        assert.deepEqual([now[tenant]?.processes, now[site]?.processes], [2, 1]);
        const forks = 'i=0; while [ $i -lt 20 ]; do sleep 3601 & i=$((i+1)); done';
        const words = asTenant(inSite, 'sh', '-c', forks);
        assert.notEqual(spawnSync(...words, { stdio: 'ignore' }).status, 0);
        const hit = sample();
        assert.ok((hit[site]?.forksRefused ?? 0) > 0);
        assert.equal(hit[tenant]?.forksRefused, 0);
        // Its counters end with the slice, and what the tenant's has counted stays.
        spawnSync('pkill', ['-KILL', '-U', String(uid), '-fx', 'sleep 3601']);
      }
      await eventually(
        'the slice of the site ends',
        () => !existsSync(`/sys/fs/cgroup${siteSlice}`),
      );
      const after = sample();
      assert.deepEqual([after[tenant]?.forksRefused, after[tenant]?.processes], [0, 1]);
      assert.deepEqual([after[site]?.forksRefused, after[site]?.processes], [0, 0]);
    } finally {
      clear();
    }
  });

  test("apply leaves a removed site's processes to their tenant's limits", async () => {
    try {
      mustApply(divided, systemd);
      using visit = await sleeper(...inSite);
      mustApply(plain, systemd);
      assert.deepEqual(drift(plain), []);
      assert.equal(cgroupOf(visit.pid), siteScope);
      assert.notEqual(valueOf(siteSlice, 'pids.max'), '9');
      assert.equal(valueOf(slice, 'pids.max'), '50');
      assert.equal(spawnSync(...asTenant(inSite, 'true')).status, 1);
      mustApply(divided, systemd);
      assert.equal(valueOf(siteSlice, 'pids.max'), '9');
    } finally {
      clear();
    }
  });

  test('apply moves a divided tenant to slices, and back below a reseller', async () => {
    try {
      mustApply(divided, cgroup2);
      using visit = await sleeper(...inSite);
      using other = await sleeper();
      assert.match(cgroupOf(visit.pid), /\/s-my-shop\.example$/);
      assert.match(cgroupOf(other.pid), /\/main$/);
      const { operations } = mustApply(divided, systemd);
      const kinds = operations.map(({ kind }) => kind);
      assert.ok(kinds.indexOf('reload') < kinds.indexOf('move'), kinds.join());
      assert.equal(cgroupOf(visit.pid), siteScope);
      assert.equal(cgroupOf(other.pid), scope);
      assert.equal(existsSync(`/sys/fs/cgroup/${instance}-tenants.service/u${uid}`), false);
      assert.deepEqual(drift(divided), []);
      const resold = `<reseller uid="64234">${divided}</reseller>`;
      mustApply(resold, systemd);
      assert.match(cgroupOf(visit.pid), /\/r64234\/u64233\/s-my-shop\.example$/);
      assert.match(cgroupOf(other.pid), /\/r64234\/u64233\/main$/);
      assert.deepEqual(drift(resold), []);
      mustApply(divided, systemd);
      assert.equal(cgroupOf(visit.pid), siteScope);
      assert.equal(cgroupOf(other.pid), scope);
    } finally {
      clear();
    }
  });

  test('apply completes a change of driver that was killed at any operation', async () => {
    const script = fileURLToPath(new URL('killed-apply.ts', import.meta.url));
    const asked = `<host driver="systemd"/>${plain}`;
    const tree = `/sys/fs/cgroup/${instance}-tenants.service/u${uid}`;
    try {
      mustApply(plain, cgroup2);
      // A policy that names no driver keeps the one in force.
      const kept = applyPolicy(policyOf(plain), real, { kill: false, force: false });
      assert.ok(kept.ok);
      assert.deepEqual(kept.value.operations, []);
      assert.equal(kept.value.driver.capabilities.driver, 'cgroup2');
      for (let at = 0, killed = true; killed; at++) {
        assert.ok(at < 20, 'it does not end');
        mustApply(plain, cgroup2);
        using visit = await sleeper();
        assert.ok(existsSync(tree));
        const words = [script, instance, asked, String(at), 'after'];
        killed = spawnSync(process.execPath, words).signal !== null;
        const { driver } = mustApply(plain, real);
        assert.equal(driver.capabilities.driver, 'systemd');
        assert.equal(cgroupOf(visit.pid), scope, `after operation ${at}`);
        assert.equal(valueOf(slice, 'pids.max'), '50');
        assert.equal(existsSync(tree), false);
        assert.deepEqual(drift(plain), []);
      }
    } finally {
      clear();
    }
  });

  test('apply fails only for a site whose name is too long for a unit', () => {
    const long = Array.from({ length: 4 }, () => 'a'.repeat(60)).join('.');
    const body = tenantWith(`${siteWith(9)}<site name="${long}"/>`);
    try {
      const applied = applyPolicy(policyOf(body), systemd, { kill: false, force: false });
      assert.ok(applied.ok);
      assert.deepEqual(applied.value.failures.map(messageOf), [
        `Cannot limit "site uid ${uid}/${long}": the name is too long for a slice of systemd; the limits of its tenant hold for it; use the driver "cgroup2", or take the site out of the policy`,
      ]);
      assert.deepEqual(drift(body), [`+ site uid ${uid}/${long}: cgroup u${uid}/s-${long}`]);
    } finally {
      clear();
    }
  });
}
