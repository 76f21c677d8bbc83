/** The command line of `setup boot` on this host, which it never changes, and how `setup undo` and `release` find a change. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { pathsOf } from '../../../src/host/paths.ts';
import type {
  SetupBootJson,
  SetupBootUndoJson,
  SetupUndoJson,
} from '../../../src/setup/commands/json.ts';
import { bootRecordText } from '../../../src/setup/core/boot/record.ts';
import { bootRecordFile, lockBoot } from '../../../src/setup/io/boot/boot-record-file.ts';
import { jsonOf } from '../../../testing/json-output.ts';

const instance = 'bulkhead-setup-boot';
const paths = pathsOf(instance);
const record = bootRecordFile(paths);
const skip = process.getuid?.() === 0 ? false : 'only root may change boot options';
const clean = () => rmSync(paths.state, { recursive: true, force: true });
const run = (...words: readonly string[]) =>
  spawnSync('./bulkhead', ['--instance', instance, 'setup', ...words], {
    encoding: 'utf8',
    input: '',
  });

/** A change of no file, so that its undo changes nothing on this host. */
const writeRecord = () => {
  mkdirSync(paths.state, { recursive: true });
  const text = bootRecordText({
    state: 'written',
    at: '2026-01-01T00:00:00.000Z',
    bootId: 'a',
    loader: null,
    options: [],
    words: [],
    fstab: [],
    files: [],
  });
  writeFileSync(record, text, { mode: 0o600 });
};

suite('bulkhead setup boot', { skip }, () => {
  before(clean);
  after(clean);

  test('a dry run prints every option, and writes nothing', () => {
    const { stdout } = run('boot', '--dry-run', '--json');
    const { options, changed } = jsonOf<SetupBootJson>('setup boot', stdout);
    assert.equal(changed, false);
    assert.deepEqual(
      options.map(({ name }) => name),
      ['lsm', 'quota', 'pressure', 'memory', 'swap', 'cgroup2', 'favordynmods'],
    );
    assert.ok(!existsSync(paths.state));
  });

  test('undo without a change says so, and options are checked', () => {
    assert.match(run('boot', 'undo').stdout, /has changed no boot option here/);
    const { changed } = jsonOf<SetupBootUndoJson>(
      'setup boot undo',
      run('boot', 'undo', '--dry-run', '--json').stdout,
    );
    assert.equal(changed, false);
    assert.equal(run('boot', '--add', 'lsm').status, 2);
    assert.equal(run('boot', '--loader', 'lilo').status, 2);
  });

  test('only one runs at a time', () => {
    const lock = lockBoot(paths);
    assert.ok(lock.ok);
    using _lock = lock.value;
    assert.match(run('boot', 'undo', '--yes').stderr, /another "bulkhead setup boot" runs/);
  });

  test('setup undo undoes it, also where setup has not run', () => {
    writeRecord();
    const planned = jsonOf<SetupUndoJson>('setup undo', run('undo', '--dry-run', '--json').stdout);
    assert.deepEqual(planned.undone, ['boot options, from the next reboot']);
    assert.ok(existsSync(record));
    const { status, stderr } = run('undo', '--yes');
    assert.equal(status, 0, stderr);
    assert.ok(!existsSync(record));
  });
});
