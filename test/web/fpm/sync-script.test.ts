/**
 * The script that the distribution's service runs around a reload, with a Bulkhead that fails, and with one that
 * succeeds.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { packageFile } from '../../../src/sys/package-files.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const instance = 'bulkhead-fpm-script-test';
const skip = process.getuid?.() === 0 ? false : 'needs root';
const shells = ['/bin/sh', '/bin/bash', '/usr/bin/busybox'].filter((each) => existsSync(each));

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

for (const shell of shells)
  test(`bulkhead-fpm-sync with ${shell} links new pools when the program fails`, { skip }, (t) => {
    using scratch = temporaryDirectory('fpm-script');
    const state = `/etc/${instance}/fpm/8.4`;
    t.after(() => rmSync(`/etc/${instance}`, { recursive: true, force: true }));
    const pools = `${scratch.path}/pools`;
    mkdirSync(pools);
    mkdirSync(`${state}/pools/1`, { recursive: true });
    for (const name of ['known.conf', 'served.conf', 'new.conf', 'other.txt'])
      writeFileSync(`${pools}/${name}`, '');
    symlinkSync(`${pools}/known.conf`, `${state}/pools/1/000001-known.conf`);
    symlinkSync(`${pools}/gone.conf`, `${state}/pools/1/000002-gone.conf`);
    writeFileSync(`${state}/left-out`, `include ${pools}/*.conf\nfile ${pools}/served.conf\n`);
    const applet = shell.endsWith('busybox') ? ['sh'] : [];
    const script = packageFile('libexec/bulkhead-fpm-sync');
    // No policy of this instance exists, so the program itself fails.
    const split = (when: string) =>
      spawnSync(shell, [...applet, script, instance, '8.4', when, '/nonexistent/policy.xml'], {
        encoding: 'utf8',
      });
    for (const when of ['start', 'reload']) {
      const { status, stderr } = split(when);
      assert.equal(status, 0, stderr);
      assert.match(stderr, /divided as they were before/);
      const links = readdirSync(`${state}/pools/1`).sort();
      assert.deepEqual(links, ['000001-known.conf', '999999-new.conf']);
    }
    assert.equal(readlinkSync(`${state}/pools/1/999999-new.conf`), `${pools}/new.conf`);
    // Files of several directories that have one name, at one time and at another.
    const inUsers = (user: string) => `${scratch.path}/users/${user}/php.conf`;
    for (const users of [['a', 'b'], ['c']]) {
      for (const user of users) {
        mkdirSync(`${scratch.path}/users/${user}`, { recursive: true });
        writeFileSync(inUsers(user), '');
      }
      writeFileSync(`${state}/left-out`, `include ${scratch.path}/users/*/php.conf\n`);
      assert.equal(split('start').status, 0);
    }
    const targets = readdirSync(`${state}/pools/1`).map((each) =>
      readlinkSync(`${state}/pools/1/${each}`),
    );
    for (const user of ['a', 'b', 'c'])
      assert.equal(targets.filter((each) => each === inUsers(user)).length, 1, user);
    rmSync(`${state}/left-out`);
    assert.equal(split('start').status, 0);
    assert.equal(lstatSync(state).isDirectory(), true);
  });
