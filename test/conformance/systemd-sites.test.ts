/**
 * Sites of tenants that are slices of systemd, which has none: said, and never taken for granted. Where systemd runs: in
 * the virtual machine.
 */
import '../../src/testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { applyPolicy, planPolicy, releaseAll } from '../../src/apply/apply.ts';
import { printProblem } from '../../src/base/problem.ts';
import { linuxHost, type Host } from '../../src/host/host.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { printOperation } from '../../src/plan/print.ts';
import type { DriverName } from '../../src/policy/document.ts';
import { eventually } from '../../src/testing/patience.ts';
import { messageOf, mustApply, policyOf } from './suite.ts';

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
const launcher = fileURLToPath(new URL('../../libexec/bulkhead-exec', import.meta.url));
const plain = `<tenant uid="${uid}"><processes limit="50"/></tenant>`;
const divided = plain.replace(
  '/></',
  '/><site name="shop.example"><processes limit="9"/></site></',
);
const slice = `/user.slice/user-${uid}.slice`;
const scope = `0::${slice}/${instance}-${uid}.scope`;

const probed = systemd.probe();
const clear = () =>
  assert.deepEqual(releaseAll(systemd, { kill: true }), { ok: true, value: undefined });
const drift = (body: string) => {
  const driver = systemd.probe();
  assert.ok(driver.ok);
  return planPolicy(policyOf(body), driver.value).operations.map((each) => printOperation(each));
};
const cgroupOf = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim();

/** A process that sleeps as the tenant, and the end of it. */
async function sleeper(...options: readonly string[]): Promise<Disposable & { pid: number }> {
  const words = ['--instance', instance, ...options, String(uid), '--', 'sleep', '3600'];
  const child = spawn(launcher, words, { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  await eventually('it sleeps', () => {
    assert.equal(child.exitCode ?? child.signalCode, null, 'it has ended');
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n';
  });
  return { pid, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

if (!probed.ok) {
  test('sites of slices', { skip: printProblem(probed.error) }, () => {});
} else {
  clear();

  test('an apply fails for a site of a slice, and holds its tenant', async () => {
    try {
      const applied = applyPolicy(policyOf(divided), systemd, { kill: false, force: false });
      assert.ok(applied.ok);
      assert.deepEqual(applied.value.failures.map(messageOf), [
        `Cannot limit "site uid ${uid}/shop.example": the driver "systemd" has no sites; the limits of its tenant hold for it; use the driver "cgroup2", or take the site out of the policy`,
      ]);
      using process = await sleeper();
      assert.equal(cgroupOf(process.pid), scope);
      assert.equal(readFileSync(`/sys/fs/cgroup${slice}/pids.max`, 'utf8'), '50\n');
      assert.deepEqual(drift(divided), [
        `site uid ${uid}/shop.example: cgroup u${uid}/s-shop.example`,
      ]);
      // What systemd gives to cgroups in an active slice does not count.
      assert.deepEqual(drift(plain), []);
    } finally {
      clear();
    }
  });

  test('a divided tenant becomes a slice, and its processes stay limited', async () => {
    try {
      mustApply(divided, cgroup2);
      using visit = await sleeper('--site', 'shop.example');
      using other = await sleeper();
      assert.match(cgroupOf(visit.pid), /\/s-shop\.example$/);
      assert.match(cgroupOf(other.pid), /\/main$/);
      const { operations } = mustApply(plain, systemd);
      const kinds = operations.map(({ kind }) => kind);
      assert.ok(kinds.indexOf('reload') < kinds.indexOf('move'), kinds.join());
      for (const { pid } of [visit, other]) assert.equal(cgroupOf(pid), scope);
      assert.equal(existsSync(`/sys/fs/cgroup/${instance}-tenants.service/u${uid}`), false);
      assert.deepEqual(drift(plain), []);
    } finally {
      clear();
    }
  });
}
