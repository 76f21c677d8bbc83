/** `bulkhead prove` exits with its result, and leaves nothing behind however it ends. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { join } from 'node:path';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import { proveLock } from '../../src/prove/io/scratch-paths.ts';
import { isLocked, lockFile } from '../../src/sys/files/flock.ts';
import { readText } from '../../packages/base/io/read.ts';
import { eventually } from '../../testing/patience.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import type { ListedAttack, ProofJson } from '../../src/prove/commands/json.ts';
import { limited, ProveStage, processesOf } from './prove-stage.ts';

const { instance, scratch, skip, cleanUp, leftovers, assertNothingLeft } = new ProveStage(
  'bulkhead-provetest-cli',
);

const program = new URL('../../bulkhead', import.meta.url).pathname;

describe('bulkhead prove', { skip }, () => {
  const directory = suiteDirectory('provetest', '/root');
  const file = join(directory, 'policy.xml');
  const args = ['--instance', instance, 'prove'];
  const cli = (...words: readonly string[]) =>
    spawnSync(program, [...args, ...words], { encoding: 'utf8' });
  const started: ChildProcess[] = [];
  /** Waits until the attack runs. The throttle makes it last seconds. */
  const running = async () => {
    const child = spawn(program, [...args, '-p', file, '--only', 'disk-bandwidth'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    started.push(child);
    await eventually('the attack runs', () => {
      assert.equal(errors, '');
      const uid = uidsInUse()[0];
      return uid !== undefined && processesOf(uid).length > 0;
    });
    return child;
  };
  const uidsInUse = (): readonly number[] => {
    const text = readText(`${scratch.runtime}/scratch.json`);
    return text === undefined || text === '' ? [] : (JSON.parse(text) as { uids: number[] }).uids;
  };

  before(async () => {
    await cleanUp();
    writeFileSync(file, `<bulkhead version="1">${limited}</bulkhead>`);
  });
  after(async () => {
    for (const child of started) child.kill('SIGKILL');
    await cleanUp();
  });

  test('exits with 0 when everything demanded is blocked, and prints JSON', () => {
    const { status, stdout, stderr } = cli('-p', file, '--json', '--only', 'kill');
    assert.equal(status, 0, stderr);
    const proof = jsonOf<ProofJson>('prove', stdout);
    assert.deepEqual(proof.broken, []);
    assert.equal(proof.entries[0]?.verdict, 'blocked');
    assert.equal(proof.entries[0]?.demanded, true);
    assertNothingLeft();
  });

  test('exits with 3 when something demanded is not blocked', () => {
    const other = join(directory, 'symlinks.xml');
    writeFileSync(
      other,
      `<bulkhead version="1">${limited}<symlinks follow="owner-match" by="nobody"/></bulkhead>`,
    );
    const { status, stdout, stderr } = cli('-p', other, '--only', 'symlink-server');
    assert.equal(status, 3, stdout + stderr);
    assert.match(stdout, /symlink-server +\* not blocked/);
    assert.match(stdout, /to block it: /);
    assertNothingLeft();
  });

  test('lists attacks, and refuses unknown names', () => {
    const { status, stdout } = cli('--list');
    assert.equal(status, 0);
    for (const { name } of attacks) assert.ok(stdout.includes(name), name);
    const json = jsonOf<readonly ListedAttack[]>('prove', cli('--list', '--json').stdout);
    assert.equal(json.length, attacks.length);
    const wrong = cli('--only', 'no-such-thing');
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /no-such-thing/);
  });

  test('refuses a second run at the same time, which creates nothing', () => {
    const lock = lockFile(proveLock(scratch), { waitMs: 0 });
    assert.ok(lock.ok);
    using _lock = lock.value;
    const second = cli('--only', 'kill');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /lock/);
    assert.deepEqual(leftovers(), [proveLock(scratch)]);
  });

  test('holds its lock while it runs', async () => {
    const child = await running();
    assert.ok(child.exitCode !== null || isLocked(proveLock(scratch)));
    if (child.exitCode === null) await once(child, 'exit');
    assertNothingLeft();
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`removes everything before it ends on ${signal}`, async () => {
      const child = await running();
      const uids = uidsInUse();
      child.kill(signal);
      if (child.signalCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, signal);
      assertNothingLeft();
      for (const uid of uids) assert.deepEqual(processesOf(uid), []);
    });
  }

  test('has its files and processes removed at once when it is killed', async () => {
    const child = await running();
    const uids = uidsInUse();
    child.kill('SIGKILL');
    await eventually(
      'everything is removed',
      () => leftovers().length === 0,
      () => leftovers().join(' '),
    );
    for (const uid of uids) assert.deepEqual(processesOf(uid), []);
  });
});
