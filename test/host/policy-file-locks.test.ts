/** Locks keep edits of policy files apart, also between processes. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { lockFile } from '../../src/sys/files/flock.ts';
import { valueOf, errorOf } from '../../testing/results.ts';
import { asRoot, directory, file, usePolicyFile, leftovers } from './policy-file-stage.ts';

const source = (name: string) => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href);

usePolicyFile();

describe('locks between processes', () => {
  /** Starts a process that runs `body`, and prints `ready` when it has come to that call. */
  function child(body: string): ChildProcess {
    const program = `
      import { editPolicyFile } from ${source('host/edit-policy-file.ts')};
      import { lockFile } from ${source('sys/files/flock.ts')};
      import { ok } from ${source('../packages/base/result.ts')};
      import { writeSync } from 'node:fs';
      const ready = () => writeSync(1, 'ready\\n');
      const file = ${JSON.stringify(file)};
      ${body}`;
    return spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  const ready = (process: ChildProcess) => once(process.stdout ?? process, 'data');
  const holdForever =
    'lockFile(file + ".held", { waitMs: 0 }); ready(); setInterval(() => {}, 1e6);';

  test('editPolicyFile() loses no edit when several processes edit at once', async () => {
    const add = (name: string) =>
      child(`for (let i = 0; i < 25; i++) {
        const done = editPolicyFile(file, (text) => ok(text + '<${name}' + i + '/>'));
        if (!done.ok) throw new Error(done.error.reason);
      }`);
    const editors = ['b', 'c', 'd'].map(add);
    const codes = await Promise.all(editors.map((each) => once(each, 'exit')));
    assert.deepEqual(
      codes.map(([code]) => code),
      [0, 0, 0],
    );
    assert.equal(readFileSync(file, 'utf8').match(/<[bcd]\d+\/>/g)?.length, 75);
    assert.deepEqual(leftovers(), []);
  });

  test('lockFile() reports the pid of the process that has the lock, until that is killed', async () => {
    const holder = child(holdForever);
    await ready(holder);
    const lock = `${file}.held`;
    assert.equal(statSync(lock).mode & 0o777, 0o600);
    assert.equal(
      errorOf(lockFile(lock, { waitMs: 60 })),
      `Cannot lock "${lock}": process ${holder.pid} holds it, waited 0.06 s; try again when it is done`,
    );
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    using held = valueOf(lockFile(lock, { waitMs: 0 }));
    assert.equal(readFileSync(lock, 'utf8'), `${process.pid}\n`);
    held.release();
    assert.ok(!existsSync(lock));
  });

  test('lockFile() returns to a waiting process when the lock is released', async () => {
    const lock = `${file}.held`;
    const held = valueOf(lockFile(lock, { waitMs: 0 }));
    const waiter = child(
      `ready(); const got = lockFile(file + '.held', { waitMs: 600_000 }); process.exit(got.ok ? 0 : 1);`,
    );
    await ready(waiter);
    setTimeout(() => held.release(), 100);
    assert.deepEqual(await once(waiter, 'exit'), [0, null]);
  });
});

describe('lockFile()', () => {
  test('lockFile() refuses a symbolic link and a directory', () => {
    const link = join(directory, 'lock');
    symlinkSync(file, link);
    assert.match(errorOf(lockFile(link, { waitMs: 0 })), /symbolic link; remove it$/);
    mkdirSync(join(directory, 'directory'));
    assert.match(errorOf(lockFile(join(directory, 'directory'), { waitMs: 0 })), /^Cannot lock /);
    assert.equal(readFileSync(file, 'utf8'), '<a/>');
  });

  test('lockFile() refuses a lock file that another user could hold', { skip: asRoot }, () => {
    const lock = join(directory, 'lock');
    writeFileSync(lock, '');
    chownSync(lock, 1234, 0);
    assert.match(errorOf(lockFile(lock, { waitMs: 0 })), /it belongs to uid 1234; remove it$/);
  });
});
