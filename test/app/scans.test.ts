/** States that tenants see of their applications: of the policy in force, and never older than some seconds. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { AppScans } from '../../src/app/io/scans.ts';
import { OwnApps } from '../../src/app/io/tenant-apps.ts';
import { alice, body, OwnAppsStage } from './own-apps-stage.ts';

let stage: OwnAppsStage;
beforeEach(() => (stage = new OwnAppsStage()));
afterEach(() => stage[Symbol.dispose]());

const namesOf = (seen: Awaited<ReturnType<AppScans['fresh']>>) =>
  seen?.apps.map(({ app, state }) => `${app.name} ${state}`);

/** Returns what a tenant sees, or the status and reason of a refusal. */
async function listed() {
  const answer = await stage.list(alice);
  return answer.ok
    ? answer.value.apps.map(({ name, state }) => `${name} ${state}`)
    : `${answer.error.status} ${answer.error.reason}`;
}

test('a tenant sees its applications at once after another policy was adopted', async () => {
  stage.write(alice, { command: 'x' });
  stage.install();
  assert.deepEqual(await listed(), ['alice/blog unknown']);
  stage.adopt(body(2, '<app name="shop" command="x"/>'));
  assert.deepEqual(await listed(), ['alice/blog unknown', 'alice/shop unknown']);
  stage.adopt(body(0));
  assert.deepEqual(await listed(), ['alice/blog not allowed']);
});

test('a tenant that has the uid now sees nothing of its last owner', async () => {
  stage.write(alice, { command: 'x' });
  assert.deepEqual(await listed(), ['alice/blog unknown']);
  stage.haveAccounts({ acme: 4000, mallory: alice, bob: 5002 });
  stage.adopt(body(2).replace('alice', 'mallory'));
  const seen = await stage.list(alice, 'mallory');
  assert.ok(seen.ok);
  assert.deepEqual(seen.value.apps, []);
});

test('fresh() scans again when the last scan is too old, and shares a scan', async () => {
  const [old, lasting] = [new AppScans(stage.paths, 0), new AppScans(stage.paths, Infinity)];
  for (const scans of [old, lasting]) {
    assert.equal(await scans.fresh(), undefined);
    scans.adopt(stage.policy, new Map());
    const [first, second] = await Promise.all([scans.fresh(), scans.fresh()]);
    assert.deepEqual(first?.apps, []);
    assert.equal(first, second);
  }
  stage.write(alice, { command: 'x' });
  assert.deepEqual(namesOf(await old.fresh()), ['blog unknown']);
  assert.deepEqual(namesOf(await lasting.fresh()), []);
});

test('fresh() returns what belongs to the policy that was adopted meanwhile', async () => {
  stage.write(alice, { command: 'x' });
  const scans = new AppScans(stage.paths, 0);
  scans.adopt(stage.policy, new Map());
  const asked = scans.fresh();
  stage.adopt(body(0));
  scans.adopt(stage.policy, new Map());
  assert.deepEqual(namesOf(await asked), ['blog not allowed']);
});

test('a scan that began earlier does not replace a later one', async () => {
  stage.write(alice, { command: 'x' });
  const scans = new AppScans(stage.paths, Infinity);
  scans.adopt(stage.policy, new Map());
  const earlier = scans.scan(stage.policy);
  scans.noteNone(stage.policy);
  assert.ok((await earlier).ok);
  assert.deepEqual(namesOf(scans.last), []);
});

test('a scan that takes too long is answered before the client gives up', async (t) => {
  const parts = {
    paths: stage.paths,
    scans: { fresh: () => new Promise<never>(() => {}) },
    runsSystemd: () => true,
  };
  const apps = new OwnApps(parts as unknown as ConstructorParameters<typeof OwnApps>[0]);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked = apps.list(alice);
  t.mock.timers.tick(59_000);
  const answer = await asked;
  assert.ok(!answer.ok);
  assert.match(answer.error.reason, /cannot check them at the moment/);
});

test('where nothing can be scanned, the last scan is not shown as the state of now', async () => {
  stage.write(alice, { command: 'x' });
  stage.scans = new AppScans(stage.paths, 0);
  stage.scans.adopt(stage.policy, new Map());
  assert.ok(await stage.scans.fresh());
  mkdirSync(`${stage.paths.etc}/bulkhead-test/app`, { recursive: true });
  writeFileSync(`${stage.paths.etc}/bulkhead-test/app/disabled`, 'damaged');
  assert.equal(await stage.scans.fresh(), undefined);
});
