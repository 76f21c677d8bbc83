/**
 * The script that the distribution's service runs around a reload, with a Bulkhead that fails, and with one that
 * succeeds.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { test } from 'node:test';
import { packageFile } from '../../../src/sys/package-files.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const instance = 'bulkhead-fpm-script-test';
const skip = process.getuid?.() === 0 ? false : 'needs root';

test(
  'bulkhead-fpm-sync fails after php-fpm has read its files when the division failed',
  { skip },
  () => {
    using scratch = temporaryDirectory('fpm-script');
    const at = scratch.path;
    const runtime = `/run/${instance}`;
    mkdirSync(runtime, { recursive: true });
    mkdirSync(`${at}/libexec`);
    const script = `${at}/libexec/bulkhead-fpm-sync`;
    copyFileSync(packageFile('libexec/bulkhead-fpm-sync'), script);
    const run = (when: string) =>
      spawnSync('/bin/sh', [script, instance, '8.4', when], { encoding: 'utf8' });
    const succeeds = (does: boolean) => {
      rmSync(`${at}/bulkhead`, { force: true });
      symlinkSync(does ? '/bin/true' : '/bin/false', `${at}/bulkhead`);
    };
    const statuses = (...whens: readonly string[]) => whens.map((when) => run(when).status);
    try {
      succeeds(true);
      assert.deepEqual(statuses('start', 'reload', 'reloaded'), [0, 0, 0]);
      succeeds(false);
      // php-fpm starts, and reads its files, all the same.
      assert.deepEqual(statuses('start', 'reload'), [0, 0]);
      const failed = run('reloaded');
      assert.equal(failed.status, 1);
      assert.match(failed.stderr, /could not be divided anew.*then reload again/);
      // One that failed before counts, though the rest of it succeeds.
      assert.deepEqual(statuses('reload'), [0]);
      succeeds(true);
      assert.deepEqual(statuses('reloaded', 'reload', 'reloaded'), [1, 0, 0]);
    } finally {
      rmSync(runtime, { recursive: true, force: true });
    }
  },
);
