/** policy → plan text on an empty host, for each kind of kernel. `UPDATE_GOLDEN=1` writes them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { planPolicy } from '../../src/apply/apply.ts';
import { formatPlan } from '../../src/plan/format.ts';
import { fakeHost } from '../../testing/fake-host.ts';
import { mustApply, policyOf } from '../conformance/suite.ts';

const body = `
  <defaults><cpu limit="100%"/><memory limit="1GiB" soft="900MiB"/><processes limit="100"/></defaults>
  <package name="business"><cpu limit="2 cores" weight="300" burst="50%"/><io read="10MiB/s" writes="500/s"/></package>
  <reseller uid="2000"><cpu limit="400%"/><tenant uid="2001" package="business"/></reseller>
  <tenant uid="1001"/>`;
const later = body
  .replace('1GiB', '512MiB')
  .replace('soft="900MiB"', '')
  .replace('<tenant uid="1001"/>', '');

function golden(name: string, text: string): void {
  const file = new URL(`${name}.txt`, import.meta.url);
  if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

for (const version of [1, 2] as const) {
  test(`formatPlan() shows a first plan on cgroup v${version}`, () => {
    const host = fakeHost(version);
    const driver = host.probe();
    assert.ok(driver.ok);
    golden(`first-v${version}`, formatPlan(planPolicy(policyOf(body), driver.value)));
  });

  test(`formatPlan() shows a change on cgroup v${version}`, () => {
    const host = fakeHost(version);
    const { driver } = mustApply(body, host);
    golden(`change-v${version}`, formatPlan(planPolicy(policyOf(later), driver)));
  });

  test(`formatPlan() shows how a tenant is divided and undivided on cgroup v${version}`, () => {
    const host = fakeHost(version);
    const plain = '<tenant uid="1001"><cpu limit="50%"/></tenant>';
    const divided = plain.replace(
      '/></',
      '/><site name="shop.example"><cpu limit="20%"/></site></',
    );
    const { driver } = mustApply(plain, host);
    for (const each of host.cgroups) each.put('u1001', 'cgroup.procs', '77');
    const first = formatPlan(planPolicy(policyOf(divided), driver));
    mustApply(divided, host);
    golden(`sites-v${version}`, `${first}\n\n${formatPlan(planPolicy(policyOf(plain), driver))}`);
  });
}
