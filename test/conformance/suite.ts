/**
 * The life of a policy, as every host must live it: run on a host in memory, on this machine's
 * kernel, and inside the virtual machine.
 */
import { existsSync } from 'node:fs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { applyPolicy, planPolicy, releaseAll } from '../../src/apply/apply.ts';
import type { Driver, ExecuteOptions, Failure } from '../../src/host/driver.ts';
import type { Host } from '../../src/host/host.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { wantedOnHost } from '../../src/plan/wanted-on-host.ts';
import { formatOperation } from '../../src/plan/format.ts';

/** uids that no account of an ordinary host has. */
export const uids = { first: 64_201, second: 64_202, third: 64_203, reseller: 64_210 };

export function policyOf(body: string): Policy {
  const { document, diagnostics } = parsePolicy(
    'test.xml',
    `<bulkhead version="1">${body}</bulkhead>`,
  );
  assert.ok(document, JSON.stringify(diagnostics.list));
  const policy = resolvePolicy(document, { accounts: [], uidMin: 1000 });
  assert.deepEqual(
    diagnostics.list.filter((each) => each.severity === 'error'),
    [],
  );
  return policy;
}

const gentle: ExecuteOptions = { kill: false, force: false };

/** Returns the message as it is printed. */
export const messageOf = (failure: Failure | undefined) =>
  failure === undefined ? '' : formatProblem(failure.problem);

export function mustApply(body: string, host: Host, options = gentle) {
  const applied = applyPolicy(policyOf(body), host, options);
  assert.ok(applied.ok, applied.ok ? '' : formatProblem(applied.error));
  assert.deepEqual(applied.value.failures.map(messageOf), []);
  return applied.value;
}

function driverOf(host: Host): Driver {
  const driver = host.probe();
  assert.ok(driver.ok, driver.ok ? '' : formatProblem(driver.error));
  return driver.value;
}

const drift = (body: string, host: Host) =>
  planPolicy(policyOf(body), driverOf(host)).operations.map((each) => formatOperation(each));

const { first, second, third, reseller } = uids;
const everyLimit = `
  <defaults><cpu limit="100%" weight="50"/><memory limit="96MiB" soft="80MiB" swap="32MiB" guaranteed="24MiB"/>
    <io read="5MiB/s" write="6MiB/s" reads="500/s" writes="600/s"/><processes limit="40"/></defaults>
  <tenant uid="${first}"/>
  <tenant uid="${second}"><cpu limit="30%" burst="20%"/><memory limit="unlimited" soft="unlimited" swap="unlimited"/>
    <site name="my-shop.example"><cpu limit="50%"/><memory limit="32MiB" guaranteed="12MiB"/><io read="3MiB/s" write="7MiB/s"/><processes limit="9"/></site>
    <site name="blog.example"/></tenant>
  <reseller uid="${reseller}"><cpu limit="50%"/><memory limit="200MiB"/><processes limit="60"/>
    <tenant uid="${third}"/></reseller>`;

export function conformance(name: string, makeHost: () => Host): void {
  const on = (title: string, body: (host: Host) => void) =>
    test(`${title} (${name})`, () => {
      const host = makeHost();
      try {
        body(host);
      } finally {
        const released = releaseAll(host, { kill: true });
        assert.deepEqual(released, { ok: true, value: undefined });
        assert.ok(!existsSync(host.paths.runtime), 'its directory is left');
      }
    });

  on('applyPolicy() makes cgroups whose values read back as the policy has them', (host) => {
    const { operations } = mustApply(everyLimit, host);
    assert.ok(operations.length >= 20, `${operations.length} operations`);
    assert.deepEqual(drift(everyLimit, host), []);
  });

  on('applyPolicy() executes what planPolicy() returned, and nothing else', (host) => {
    const planned = drift(everyLimit, host);
    const { operations } = mustApply(everyLimit, host);
    assert.deepEqual(operations.map((each) => formatOperation(each)).sort(), planned.toSorted());
  });

  on('applyPolicy() writes nothing when the policy is in force', (host) => {
    mustApply(everyLimit, host);
    assert.deepEqual(mustApply(everyLimit, host).operations, []);
  });

  on('applyPolicy() converges when everything is raised or lowered at once', (host) => {
    const high = everyLimit
      .replaceAll('96MiB', '900MiB')
      .replaceAll('50%', '180%')
      .replaceAll('100%', '150%');
    for (const body of [everyLimit, high, everyLimit]) {
      mustApply(body, host);
      assert.deepEqual(drift(body, host), []);
    }
  });

  on('applyPolicy() converges when a tenant goes and its reseller is lowered at once', (host) => {
    const body = (limit: string, inside: string) =>
      `<reseller uid="${reseller}"><cpu limit="${limit}"/>${inside}</reseller>`;
    mustApply(body('400%', `<tenant uid="${third}"><cpu limit="300%"/></tenant>`), host);
    mustApply(body('200%', ''), host);
    assert.deepEqual(drift(body('200%', ''), host), []);
  });

  on('applyPolicy() writes the initial value when a limit is taken away', (host) => {
    mustApply(everyLimit, host);
    const bare = `<tenant uid="${first}"/>`;
    mustApply(bare, host);
    assert.deepEqual(drift(bare, host), []);
    const wanted = wantedOnHost(policyOf(bare), driverOf(host).context);
    for (const setting of wanted.cgroups.at(-1)?.settings ?? [])
      assert.equal(setting.value, setting.initial);
  });

  on('applyPolicy() removes the cgroup of a tenant that left the policy', (host) => {
    mustApply(everyLimit, host);
    mustApply(`<tenant uid="${second}"/>`, host);
    const left = driverOf(host).observe(wantedOnHost(policyOf(''), driverOf(host).context)).orphans;
    assert.deepEqual(
      left.map((each) => each.path),
      [`u${second}`],
    );
  });

  on('applyPolicy() moves the cgroup of a tenant that changes its reseller', (host) => {
    mustApply(`<tenant uid="${third}"/><reseller uid="${reseller}"/>`, host);
    const moved = `<reseller uid="${reseller}"><tenant uid="${third}"/></reseller>`;
    mustApply(moved, host);
    assert.deepEqual(drift(moved, host), []);
  });

  on('applyPolicy() converges when sites come, go and change with their tenant', (host) => {
    const body = (limit: string, inside: string) =>
      `<tenant uid="${first}"><cpu limit="${limit}"/><memory limit="90MiB"/>${inside}</tenant>`;
    const shop = (limit: string) =>
      `<site name="shop.example"><cpu limit="${limit}"/><memory limit="60MiB"/></site>`;
    for (const policy of [
      body('40%', ''),
      body('40%', shop('30%')),
      body('20%', `${shop('10%')}<site name="blog.example"><cpu limit="15%"/></site>`),
      body('15%', '<site name="blog.example"><cpu limit="15%"/></site>'),
      `<reseller uid="${reseller}"><cpu limit="12%"/>${body('15%', shop('15%'))}</reseller>`,
      body('60%', shop('50%')),
      body('40%', ''),
    ]) {
      mustApply(policy, host);
      assert.deepEqual(drift(policy, host), []);
    }
  });

  on('applyPolicy() restores a value that was changed by others, which is drift', (host) => {
    mustApply(everyLimit, host);
    const changed = everyLimit.replace('limit="40"', 'limit="41"');
    mustApply(changed, host);
    const found = drift(everyLimit, host);
    // These belong to the tenants that inherit the default. The setting has another name in a
    // slice's file. With slices, the user slice of a reseller's tenant has it, too.
    const inPlace = found.filter((line) => !line.includes('outside its reseller'));
    assert.equal(inPlace.filter((line) => /pids\.max|TasksMax/.test(line)).length, 3);
    mustApply(everyLimit, host);
    assert.deepEqual(drift(everyLimit, host), []);
  });

  on('applyPolicy() makes a cgroup again that was removed by others', (host) => {
    mustApply(everyLimit, host);
    const driver = driverOf(host);
    const names = driver
      .observe(wantedOnHost(policyOf(''), driver.context))
      .orphans.find((each) => each.path === `u${first}`);
    assert.ok(names);
    const remove = {
      kind: 'remove',
      cgroup: names.path,
      hierarchies: names.hierarchies,
      processes: [],
    } as const;
    assert.deepEqual(driver.execute(remove, gentle), { ok: true, value: undefined });
    assert.ok(drift(everyLimit, host).some((line) => line.startsWith('+')));
    mustApply(everyLimit, host);
    assert.deepEqual(drift(everyLimit, host), []);
  });
}
