/** The agent's rounds over applications: what they say after a change, and what happens after a failure. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import type { Log } from '../../src/agent/log.ts';
import { appPart } from '../../src/app/io/agent-part.ts';
import { appPaths } from '../../src/app/io/layout.ts';
import { writeOwnApps } from '../../src/app/io/own-apps.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { runsSystemd } from '../../src/host/cgroups/systemd-delegation.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { alice, body, OwnAppsStage } from './own-apps-stage.ts';

const skip = runsSystemd() ? 'systemd is the init here' : false;

let stage: OwnAppsStage;
beforeEach(() => (stage = new OwnAppsStage()));
afterEach(() => stage[Symbol.dispose]());

const remove = { kind: 'remove', name: 'blog' } as const;

/** Returns the part of an agent that has adopted a policy file, and the applications of its tenants. */
function adopted(warn: (text: string) => void) {
  const file = `${stage.paths.etc}/policy.xml`;
  const text = `<bulkhead version="1">${body(2)}</bulkhead>`;
  writeFileSync(file, text);
  const { policy } = new PolicyReader().resolve(file, text, stage.paths);
  const part = appPart(stage.paths, { warn } as Log);
  assert.ok(policy && part.apps);
  part.adopt?.(policy, new Map());
  return part.apps;
}

test('a change is in force only if the agent has looked afterwards', { skip }, async () => {
  const apps = adopted(() => {});
  const keep = (name: string) =>
    writeOwnApps(stage.paths, alice, { name: 'alice', apps: [{ name, command: 'x' }] });
  assert.ok(keep('shop').ok);
  assert.ok(!apps.isInForce(alice, remove), 'it has not looked yet');
  await apps.apply();
  assert.ok(apps.isInForce(alice, remove));
  mkdirSync(stage.paths.runtime, { recursive: true });
  const lock = lockFile(appPaths(stage.paths).lock, { waitMs: 0 });
  assert.ok(lock.ok);
  await apps.apply();
  assert.ok(!apps.isInForce(alice, remove), 'a command is changing applications');
  lock.value.release();
  await apps.apply();
  assert.ok(apps.isInForce(alice, remove));
  assert.ok(keep('blog').ok);
  await apps.apply();
  assert.ok(!apps.isInForce(alice, remove));
});

test('a round that fails does not keep the next one from running', { skip }, async () => {
  let fails = true;
  const apps = adopted((text) => {
    if (fails) throw new Error(text);
  });
  const kept = { name: 'alice', apps: [{ name: 'shop', command: 'x' }] };
  assert.ok(writeOwnApps(stage.paths, alice, kept).ok);
  await assert.rejects(apps.apply(), /systemd is not the init/);
  fails = false;
  await apps.apply();
  assert.ok(apps.isInForce(alice, remove));
});
