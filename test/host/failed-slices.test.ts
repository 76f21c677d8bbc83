/** An apply on a host with slices that fails to write some file: no tenant loses the limits that it has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failed } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import { applyPolicy } from '../../src/apply/apply.ts';
import type { Driver } from '../../src/host/driver.ts';
import type { OrphanCgroup } from '../../src/plan/observed.ts';
import { formatOperation } from '../../src/plan/format.ts';
import type { Operation } from '../../src/plan/operations.ts';
import type { Wanted } from '../../src/plan/wanted.ts';
import { fakeHost } from '../../testing/fake-host.ts';
import { contextOf } from '../limits/wanted-of.ts';
import { policyOf, uids } from '../conformance/suite.ts';

const uid = uids.second;
const unit = `user-${uid}.slice`;
const former = (path: string, processes: readonly number[] = []): OrphanCgroup => ({
  path,
  hierarchies: ['unified'],
  processes,
  ...(path.startsWith('.') ? {} : { unit: { unit, path: `/etc/${path}`, active: true } }),
});

/** Returns what an apply does when operations of these kinds fail. */
function doneWithout(kinds: readonly Operation['kind'][], body: string, orphan: OrphanCgroup) {
  const done: string[] = [];
  const fake = fakeHost(2);
  const driver = {
    context: { ...contextOf(2), unitPath: (cgroup: string) => `/etc/${cgroup}` },
    capabilities: { driver: 'systemd' },
    observe: ({ cgroups }: Wanted) => ({
      cgroups: new Map(
        cgroups.map(({ path, unit }) => [
          path,
          { missing: [], files: new Map(), ...(unit && { unit: { active: true } }) },
        ]),
      ),
      orphans: [orphan],
      quotas: new Map(),
      preparations: [],
    }),
    execute(operation: Operation) {
      if (kinds.includes(operation.kind)) return failed({ action: 'write', reason: 'it is full' });
      done.push(formatOperation(operation));
      return ok(undefined);
    },
    publish: () => ok(undefined),
  } as unknown as Driver;
  const host = { ...fake, probe: () => ok(driver) };
  const applied = applyPolicy(policyOf(body), host, { kill: false, force: false });
  assert.ok(applied.ok);
  assert.ok(applied.value.failures.length > 0);
  return done;
}

const limits = '<processes limit="9"/>';
const below = `<reseller uid="${uids.reseller}"><tenant uid="${uid}">${limits}</tenant></reseller>`;
const alone = `<tenant uid="${uid}">${limits}</tenant>`;

test('apply keeps the other file of a unit whose new file it cannot write', () => {
  const removed = `- limits of ${unit}`;
  for (const [body, path] of [
    [below, `u${uid}`],
    [alone, `outside/u${uid}`],
  ] as const) {
    assert.ok(!doneWithout(['unit'], body, former(path)).includes(removed), path);
    assert.ok(doneWithout(['realize'], body, former(path)).includes(removed), path);
  }
});

test('apply moves no process into a slice whose limits it cannot set', () => {
  const orphan = former(`./u${uid}`, [12]);
  const moves = (kinds: readonly Operation['kind'][]) =>
    doneWithout(kinds, alone, orphan).filter((each) => each.includes('processes from'));
  assert.deepEqual(moves(['unit']), []);
  assert.deepEqual(moves(['realize']), []);
  assert.equal(moves(['quota', 'remove']).length, 1);
});
