/** The agent spends a bounded time on lists of sockets and on locks, and leaves or repeats no record of what it pauses. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ok } from '../../packages/base/result.ts';
import { ClientLists } from '../../src/database/io/hold/client-lists.ts';
import { Freezer } from '../../src/database/io/hold/freezer.ts';
import { distinct, readRecord, recordFile } from '../../src/database/io/hold/record.ts';
import { noteNumbers } from '../../src/database/io/connection-numbers.ts';
import { lockDatabases } from '../../src/database/io/record-file.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

test('a list that took long is used again', () => {
  let [now, lists] = [0, 0];
  const list = (milliseconds: number) => () => {
    now += milliseconds;
    lists += 1;
    return ok(new Map([[lists, 1001]]));
  };
  const slow = new ClientLists(list(200), () => now);
  for (let tenant = 0; tenant < 50; tenant += 1) slow.of('/run/a.sock');
  assert.equal(lists, 1);
  now += 2000;
  assert.deepEqual(slow.of('/run/a.sock'), ok(new Map([[2, 1001]])));
  slow.of('/run/b.sock');
  assert.equal(lists, 3);
  const quick = new ClientLists(list(0), () => now);
  for (const each of [4, 5, 6])
    assert.deepEqual(quick.of('/run/a.sock'), ok(new Map([[each, 1001]])));
});

test('a cgroup that is found again and again is kept once', () => {
  const path = '/sys/fs/cgroup/bulkhead/u1001/cgroup.freeze';
  assert.deepEqual(distinct([{ path }, { path }, { path: `${path}2` }]), [
    { path },
    { path: `${path}2` },
  ]);
});

test('what could not be thawed is thawed later, and what has gone leaves the record', (t) => {
  const root = testDirectory(t, 'freezer-record');
  const paths = { runtime: root, state: root };
  const [kept, failing, gone] = ['u1', 'u2', 'u3'].map((name) => ({
    path: join(root, name, 'cgroup.freeze'),
  }));
  assert.ok(kept && failing && gone);
  for (const name of ['u1', 'u2']) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'cgroup.freeze'), '0');
  }
  const freezer = new Freezer(paths);
  assert.deepEqual(freezer.freeze(1, kept), ok(true));
  assert.deepEqual(freezer.freeze(2, failing), ok(true));
  assert.deepEqual(freezer.freeze(3, gone), ok(false));
  rmSync(failing.path);
  mkdirSync(failing.path);
  assert.equal(freezer.release([failing]).length, 1);
  rmSync(failing.path, { recursive: true });
  writeFileSync(failing.path, '1');
  assert.deepEqual(freezer.releaseOthers([kept]), []);
  assert.equal(readFileSync(failing.path, 'utf8'), '0');
  assert.deepEqual(readRecord(paths), [kept]);
  assert.deepEqual(freezer.releaseAll(), []);
  assert.equal(readFileSync(kept.path, 'utf8'), '0');
  assert.ok(existsSync(recordFile(paths)));
});

test('the agent does not wait for a command that changes servers', (t) => {
  const paths = { state: testDirectory(t, 'numbers-lock') };
  const lock = lockDatabases(paths);
  assert.ok(lock.ok);
  using _lock = lock.value;
  const noted = noteNumbers({ paths, socket: '/run/a.sock' }, [], []);
  assert.ok(!noted.ok);
  assert.doesNotMatch(noted.error.reason, /10 s/);
});
