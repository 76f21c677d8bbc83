/** The files of a host in a fleet survive the kill of their writer at any instant, and a full disk. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newState } from '../../src/fleet/core/states.ts';
import { HostStore } from '../../src/fleet/io/host-store.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const writer = fileURLToPath(new URL('./store-writer.ts', import.meta.url));
const now = { boot: 'a', uptime: 1, at: 1e12 };
const policyOf = (generation: number) =>
  `<bulkhead version="1"><!-- ${`${generation} `.repeat(20_000)}--></bulkhead>\n`;

suite('the store of a host in a fleet', () => {
  const directory = suiteDirectory('fleet-store');
  const storeIn = (name: string) => {
    const store = new HostStore(join(directory, name));
    assert.ok(store.create().ok);
    return store;
  };

  test('is whole whenever its writer is killed', async () => {
    const store = storeIn('killed');
    assert.ok(store.writeState(newState('example', 'web-001', now)).ok);
    for (let round = 0; round < 15; round++) {
      const child = spawn(process.execPath, [writer, store.directory, `${round * 1000}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await sleep(Math.random() * 30);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const state = store.readState();
      assert.ok(state.ok && state.value !== undefined);
      const inForce = store.readInForce();
      assert.ok(inForce.ok);
      const generation = /<!-- (\d+) /.exec(inForce.value ?? '')?.[1];
      assert.equal(inForce.value, policyOf(Number(generation)));
      const { current } = state.value;
      assert.ok(current !== undefined, 'the state is written before the policy');
      assert.ok(store.readRelease(current.release).ok, 'the release is there before the state');
    }
  });

  test('puts a policy in force again by its second name, and takes it away', () => {
    const store = storeIn('second');
    const release = { trust: 1, generation: 7 };
    assert.ok(store.writeRelease(release, policyOf(7)).ok);
    for (let each = 0; each < 2; each++) {
      assert.ok(store.putInForce(release).ok);
      assert.deepEqual(store.readInForce(), { ok: true, value: policyOf(7) });
    }
    store.keepReleases([{ trust: 1, generation: 8 }]);
    assert.equal(store.readRelease(release).ok, false);
    assert.deepEqual(store.readInForce(), { ok: true, value: policyOf(7) });
    assert.ok(store.putInForce(undefined).ok);
    assert.deepEqual(store.readInForce(), { ok: true, value: undefined });
    assert.equal(store.putInForce(release).ok, false);
  });

  test('reports damage, and never takes it for a host without a fleet', () => {
    const store = storeIn('damaged');
    const file = join(store.directory, 'state.json');
    const good = JSON.stringify(newState('example', 'web-001', now));
    for (const text of ['', '{', '[]', '{"format":2}', good.replace('"format":1', '"format":9')]) {
      writeFileSync(file, text);
      const read = store.readState();
      assert.ok(!read.ok, text);
      assert.match(read.error.reason, /damaged/);
    }
    writeFileSync(file, good);
    assert.ok(store.readState().ok);
  });

  test('follows no link', () => {
    const store = storeIn('links');
    const victim = join(directory, 'victim');
    writeFileSync(victim, 'as it was');
    symlinkSync(victim, join(store.directory, 'state.json'));
    assert.equal(store.readState().ok, false);
    assert.ok(store.writeState(newState('example', 'web-001', now)).ok);
    assert.equal(readFileSync(victim, 'utf8'), 'as it was');
    assert.ok(store.readState().ok);
  });
});
