/** `bulkhead policy log` on a host where nothing was recorded. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { packageFile } from '../../src/sys/package-files.ts';

const instance = 'bulkhead-policy-log';

test('policy log names the tenant of which nothing was recorded, and makes no directory', () => {
  const log = (...args: readonly string[]) => {
    const words = ['--instance', instance, 'policy', 'log', ...args];
    return spawnSync(packageFile('bulkhead'), words, { encoding: 'utf8' }).stdout;
  };
  assert.equal(log(), 'No changes were recorded in this period\n');
  assert.equal(log('--tenant', 'root'), 'No change to root in this period\n');
  const { runtime, state } = pathsOf(instance);
  for (const directory of [runtime, state]) assert.ok(!existsSync(directory), directory);
});
