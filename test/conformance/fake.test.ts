import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { applyPolicy, planPolicy, releaseAll } from '../../src/apply/apply.ts';
import { fakeHost, type FakeHost } from '../../testing/fake-host.ts';
import type { Errno } from '../../packages/base/problem.ts';
import { conformance, messageOf, mustApply, policyOf, uids } from './suite.ts';

conformance('fake v1', () => fakeHost(1));
conformance('fake v1 before Linux 5.11', () => fakeHost(1, { 'memory.use_hierarchy': '0' }));
conformance('fake v2', () => fakeHost(2));

const body = `<defaults><cpu limit="40%" burst="10%"/><memory limit="64MiB"/><processes limit="30"/></defaults>
  <tenant uid="${uids.first}"/>
  <tenant uid="${uids.third}"><site name="shop.example"><cpu limit="20%"/></site></tenant>
  <reseller uid="${uids.reseller}"><cpu limit="60%"/><tenant uid="${uids.second}"/></reseller>`;

const effectsOf = (host: FakeHost) => host.cgroups.reduce((sum, each) => sum + each.effects, 0);

function failAt(host: FakeHost, count: number, error: Errno): void {
  let left = count;
  for (const each of host.cgroups) each.fault = () => (left-- === 0 ? error : undefined);
}

const gentle = { kill: false, force: false };

for (const version of [1, 2] as const) {
  test(`applyPolicy() on v${version} converges after any single failure`, () => {
    const whole = fakeHost(version);
    mustApply(body, whole);
    const total = effectsOf(whole);
    assert.ok(total > 10);
    for (let at = 0; at < total; at++) {
      const host = fakeHost(version);
      failAt(host, at, 'EIO');
      const applied = applyPolicy(policyOf(body), host, gentle);
      assert.ok(applied.ok);
      assert.ok(applied.value.failures.length > 0, `effect ${at} failed unseen`);
      mustApply(body, host);
      assert.deepEqual(planPolicy(policyOf(body), applied.value.driver).operations, []);
    }
  });

  test(`applyPolicy() on v${version} converges after it was killed at any effect`, () => {
    const whole = fakeHost(version);
    mustApply(body, whole);
    for (let at = 0; at < effectsOf(whole); at++) {
      const host = fakeHost(version);
      let left = at;
      for (const each of host.cgroups) {
        each.fault = () => {
          if (left-- <= 0) throw new Error('killed');
          return undefined;
        };
      }
      assert.throws(() => applyPolicy(policyOf(body), host, gentle), /killed/);
      for (const each of host.cgroups) each.fault = () => undefined;
      mustApply(body, host);
      assert.deepEqual(mustApply(body, host).operations, []);
    }
  });

  test(`applyPolicy() on v${version} finds all processes when a division was killed`, () => {
    const [process, inSite] = [4_194_301, 4_194_302];
    const plain = `<tenant uid="${uids.first}"/>`;
    const divided = `<tenant uid="${uids.first}"><site name="a.example"/><site name="b.example"/></tenant>`;
    for (const [from, to] of [
      [plain, divided],
      [divided, plain],
      [divided, `<reseller uid="${uids.reseller}">${divided}</reseller>`],
    ] as const) {
      // v1 has as many effects for each of its hierarchies.
      for (let at = 0, stopped = true; stopped; at += version === 1 ? 5 : 1) {
        const host = fakeHost(version);
        mustApply(from, host);
        const cgroup = `u${uids.first}`;
        const places =
          from === plain ? [cgroup, cgroup] : [`${cgroup}/main`, `${cgroup}/s-a.example`];
        for (const each of host.cgroups) {
          each.put(places[0] ?? '', 'cgroup.procs', String(process));
          each.put(places[1] ?? '', 'cgroup.procs', String(inSite));
        }
        let left = at;
        for (const each of host.cgroups) {
          each.fault = () => {
            if (left-- <= 0) throw new Error('killed');
            return undefined;
          };
        }
        try {
          applyPolicy(policyOf(to), host, gentle);
          stopped = false;
        } catch (error) {
          assert.match(String(error), /killed/);
        }
        for (const each of host.cgroups) each.fault = () => undefined;
        const { driver } = mustApply(to, host);
        assert.deepEqual(mustApply(to, host).operations, []);
        const now = to.startsWith('<reseller') ? `r${uids.reseller}/${cgroup}` : cgroup;
        assert.deepEqual(driver.processes(now), [process, inSite]);
        if (to !== plain) assert.deepEqual(driver.processes(`${now}/main`)[0], process);
      }
    }
  });

  test(`applyPolicy() on v${version} keeps a tenant with processes, and proposes --kill`, () => {
    const host = fakeHost(version);
    mustApply(body, host);
    for (const each of host.cgroups) each.put(`u${uids.first}`, 'cgroup.procs', '4194305');
    const without = body.replace(`<tenant uid="${uids.first}"/>`, '');
    const applied = applyPolicy(policyOf(without), host, gentle);
    assert.ok(applied.ok);
    assert.match(
      messageOf(applied.value.failures[0]),
      /1 process is in it: 4194305; stop them, or pass --kill/,
    );
  });

  test(`releaseAll() on v${version} names a busy tenant once, and removes the rest`, () => {
    const host = fakeHost(version);
    mustApply(body, host);
    const busy = `r${uids.reseller}/u${uids.second}`;
    for (const each of host.cgroups) each.put(busy, 'cgroup.procs', '4194305');
    const released = releaseAll(host, { kill: false });
    assert.ok(!released.ok);
    const [message = '', ...others] = released.error.map(formatProblem);
    assert.deepEqual(others, []);
    assert.match(message, new RegExp(`cgroup "${busy}": 1 process is in it`));
    for (const each of host.cgroups) assert.ok(!each.exists(`u${uids.first}`));
  });

  test(`applyPolicy() on v${version} refuses to lower memory below what is in use`, () => {
    const host = fakeHost(version);
    mustApply(body, host);
    const used = version === 2 ? 'memory.current' : 'memory.usage_in_bytes';
    for (const each of host.cgroups) each.put(`u${uids.first}`, used, String(50 * 2 ** 20));
    const lower = body.replace('64MiB', '32MiB');
    const applied = applyPolicy(policyOf(lower), host, gentle);
    assert.ok(applied.ok);
    const [failure, ...others] = applied.value.failures;
    assert.deepEqual(others, []);
    assert.match(
      messageOf(failure),
      /Cannot set memory.*tenant uid 64201 to "32MiB": 50MiB are in use/,
    );
  });
}
