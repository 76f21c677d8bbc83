// bulkhead-fpm with a jail, and a program of the test's instead of php-fpm: how its configuration gets inside.
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { text } from 'node:stream/consumers';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compileFpm } from '../../scripts/entry.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { findTree } from '../cli/launch-stage.ts';
import { reasonToSkip } from './stage.ts';

const instance = 'bulkhead-jail-fpm-launcher';
const skip = reasonToSkip() || (findTree(instance).roots.length === 0 ? 'needs cgroups' : false);
const bulkhead = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const uid = 620_320;

suite('bulkhead-fpm with a jail', { skip }, () => {
  const launcher = compileFpm();
  let scratch = '';
  let program = '';
  let config = '';

  const call = (file: string, args: readonly string[], more: Readonly<object> = {}) =>
    spawnSync(file, args, {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
      env: { ...process.env, LISTEN_FDNAMES: '/run/a.sock', OTHER: 'other' },
      ...more,
    });
  const start = (mode: 'tenant' | 'copy', path = config, more: Readonly<object> = {}) =>
    call(launcher, [mode, instance, `${uid}`, program, path], more);
  const inVault = (script: string): string =>
    execFileSync('nsenter', [`--mount=/run/${instance}/jail/vault`, 'sh', '-ec', script], {
      encoding: 'utf8',
    }).trim();
  const inside = `/run/${instance}/jail/in/tenant/${uid}`;
  const copied = () => inVault(`cat ${inside}/fpm/8.4/own.conf`);
  /** Starts a copy, which ends with its status and its message. */
  const spawnCopy = () => {
    const child = spawn(launcher, ['copy', instance, `${uid}`, program, config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said = text(child.stderr);
    const ended = once(child, 'exit').then(async ([status]) => `${status}: ${await said}`);
    return { pid: child.pid, ended };
  };
  /** Takes the lock of copies until its standard input ends. */
  const lockCopies = async () => {
    const words = [
      'flock',
      `/run/${instance}/jail/in/locks/${uid}`,
      'sh',
      '-c',
      'echo locked; cat',
    ];
    const holder = spawn('nsenter', [`--mount=/run/${instance}/jail/vault`, ...words], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    return holder;
  };
  const mustCopy = (): void => {
    const { status, stderr } = start('copy');
    assert.equal(status, 0, stderr);
  };

  function refuse(reason: RegExp, path = config): void {
    for (const mode of ['copy', 'tenant'] as const) {
      const { status, stdout, stderr } = start(mode, path);
      assert.deepEqual([status, stdout], [1, ''], mode);
      assert.match(stderr, /^bulkhead: Cannot copy \S+ into the jail of uid \d+, which is ready: /);
      assert.match(stderr, reason);
    }
  }

  before(() => {
    call(bulkhead, ['--instance', instance, 'release', '--kill']);
    scratch = mkdtempSync(`/srv/${instance}-`);
    chmodSync(scratch, 0o755);
    mkdirSync(`${scratch}/8.4`);
    config = `${scratch}/8.4/own.conf`;
    writeFileSync(config, 'first\n', { mode: 0o600 });
    chownSync(config, 0, 33);
    program = `${scratch}/program`;
    writeFileSync(
      program,
      '#!/bin/sh\necho "$*|$FPM_SOCKETS|$OTHER|$PWD"; cat /run/bulkhead/profile; for f in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && printf "$f "; done; true\n',
      { mode: 0o755 },
    );
    const policy = `${scratch}/policy.xml`;
    const jail = `<jail profile="web"><path at="${scratch}"/></jail>`;
    writeFileSync(
      policy,
      `<bulkhead version="1"><tenant uid="${uid}">${jail}</tenant></bulkhead>\n`,
    );
    const { status, stderr } = call(bulkhead, ['--instance', instance, 'apply', policy]);
    assert.equal(status, 0, stderr);
  });
  after(() => {
    call(bulkhead, ['--instance', instance, 'release', '--kill']);
    rmSync(scratch, { recursive: true });
    rmSync(`/var/lib/${instance}`, { recursive: true, force: true });
  });

  test('starts inside with the copy, its sockets, and no descriptor that leads out', () => {
    const fd = openSync('/etc', 'r');
    const nothing = openSync('/dev/null', 'r');
    try {
      const stdio = [fd, 'pipe', 'pipe', nothing, fd];
      const { status, stdout, stderr } = start('tenant', config, { stdio });
      assert.equal(status, 0, stderr);
      const [first, profile, descriptors] = stdout.split('\n');
      assert.equal(
        first,
        '--nodaemonize --fpm-config /.bulkhead/fpm/8.4/own.conf -d session.gc_probability=1|/run/a.sock=3||/',
      );
      assert.equal(profile, 'web');
      assert.equal(descriptors, '0 1 2 3 ');
      // A directory in the place of a socket does not get in.
      const instead = start('tenant', config, { stdio: [fd, 'pipe', 'pipe', fd] });
      assert.match(instead.stdout, /\n0 1 2 $/);
    } finally {
      closeSync(fd);
      closeSync(nothing);
    }
  });

  test('copies the configuration in one step, with its group and mode 640', () => {
    mustCopy();
    const look = () => inVault(`stat -c '%i %u %g %a' ${inside}/fpm/8.4/own.conf`);
    assert.equal(copied(), 'first');
    const [inode, ...rest] = look().split(' ');
    assert.deepEqual(rest, ['0', '33', '640']);
    writeFileSync(config, 'second\n');
    chownSync(config, 0, 34);
    mustCopy();
    assert.equal(copied(), 'second');
    const [next, ...others] = look().split(' ');
    assert.notEqual(next, inode);
    assert.deepEqual(others, ['0', '34', '640']);
    // A copy that was killed halfway does no harm, and no link is followed.
    writeFileSync(`${scratch}/victim`, 'whole\n');
    inVault(`ln -s ${scratch}/victim ${inside}/fpm/8.4/own.conf.new`);
    writeFileSync(config, 'third\n');
    mustCopy();
    assert.equal(copied(), 'third');
    inVault(`ln -sf ${scratch}/victim ${inside}/fpm/8.4/own.conf`);
    mustCopy();
    assert.equal(copied(), 'third');
    assert.equal(statSync(`${scratch}/victim`).size, 6);
    assert.equal(inVault(`ls ${inside}/fpm/8.4`), 'own.conf');
  });

  test('copies at the same time, as of a start and of a reload, do not disturb each other', async () => {
    // So large that a copy takes longer than the start of the next one.
    writeFileSync(config, 'x'.repeat(4 << 20));
    const copies = Array.from({ length: 6 }, () => spawnCopy());
    const ended = await Promise.all(copies.map((each) => each.ended));
    writeFileSync(config, 'first\n');
    mustCopy();
    assert.deepEqual([...new Set(ended)], ['0: ']);
    assert.equal(inVault(`ls ${inside}/fpm/8.4`), 'own.conf');
  });

  test('a copy that had to wait is not older than the configuration', async () => {
    writeFileSync(config, 'old\n');
    mustCopy();
    const holder = await lockCopies();
    const copy = spawnCopy();
    const waits = new RegExp(`-> FLOCK +ADVISORY +WRITE ${copy.pid} `);
    await eventually('it waits', () => waits.test(readFileSync('/proc/locks', 'utf8')));
    writeFileSync(`${config}.new`, 'new\n', { mode: 0o600 });
    renameSync(`${config}.new`, config);
    holder.stdin.end();
    assert.equal(await copy.ended, '0: ');
    assert.equal(copied(), 'new');
  });

  test('gives up when another copy does not end', async () => {
    const holder = await lockCopies();
    const { status, stderr } = start('copy');
    assert.equal(status, 1);
    assert.match(stderr, /another process is copying it, and does not end; run bulkhead apply$/m);
    holder.stdin.end();
    await once(holder, 'exit');
    mustCopy();
  });

  test("refuses a configuration that may be another account's", (t) => {
    const link = `${scratch}/8.4/link.conf`;
    symlinkSync(config, link);
    refuse(/a link is in its place/, link);
    symlinkSync('8.4', `${scratch}/9.0`);
    refuse(/a link is in its place/, `${scratch}/9.0/own.conf`);
    refuse(/has a part that is not a name/, `${scratch}/8.4/../8.4/own.conf`);
    refuse(/has a part that is not a name/, `${scratch}//8.4/own.conf`);
    refuse(/has a part that is not a name/, `${scratch}/8.4/`);
    refuse(/too many parts, or too few/, '/own.conf');
    refuse(/No such file/, `${scratch}/8.4/missing.conf`);
    const pipe = `${scratch}/8.4/pipe.conf`;
    execFileSync('mkfifo', ['-m', '600', pipe]);
    refuse(/others than root can change it/, pipe);
    for (const path of [config, `${scratch}/8.4`, scratch]) {
      const { mode, gid } = statSync(path);
      t.after(() => chownSync(path, 0, gid));
      t.after(() => chmodSync(path, mode));
      chmodSync(path, mode | 0o020);
      refuse(/others than root can change it/);
      chmodSync(path, mode);
      chownSync(path, uid, gid);
      refuse(/others than root can change it/);
      chownSync(path, 0, gid);
    }
    mustCopy();
  });

  test('refuses what is not a directory of its own in the vault', () => {
    mkdirSync(`${scratch}/elsewhere`);
    inVault(`mv ${inside}/fpm ${inside}/saved; ln -s ${scratch}/elsewhere ${inside}/fpm`);
    refuse(/it cannot be written: a link is in its place/);
    inVault(`rm ${inside}/fpm; mkdir -m 777 ${inside}/fpm; mkdir ${inside}/fpm/8.4`);
    refuse(/it cannot be written: others than root can change it/);
    inVault(`rm -r ${inside}/fpm; mv ${inside}/saved ${inside}/fpm`);
    inVault(`cd ${inside}/fpm/8.4; rm own.conf; mkdir own.conf`);
    refuse(/it cannot be written: Is a directory/);
    inVault(`rmdir ${inside}/fpm/8.4/own.conf`);
    mustCopy();
  });

  test('does not start outside when the namespaces of the jail are others', () => {
    const pins = `/run/${instance}/jail/in/ns`;
    const latest = inVault(`readlink ${pins}/${uid}`);
    const swap = (target: string) => inVault(`ln -sfT '${target}' ${pins}/${uid}`);
    const none = (reason: RegExp) => {
      const { status, stdout, stderr } = start('tenant');
      assert.deepEqual([status, stdout], [1, '']);
      assert.match(stderr, reason);
    };
    for (const target of ['/proc/1/ns/mnt', '../../vault', `${uid}1-G1`, '0-G1']) {
      swap(target);
      none(/its namespaces are not in the vault/);
    }
    inVault(`rm ${pins}/${uid}; cp ${scratch}/program ${pins}/${uid}`);
    none(/its namespaces are not in the vault/);
    inVault(`rm ${pins}/${uid}`);
    none(/its namespaces are not in the vault/);
    swap(latest);
    assert.equal(start('tenant').status, 0);
    // The directory with the vault is not root's alone.
    chmodSync(`/run/${instance}/jail`, 0o777);
    none(/others than root can change it/);
    chmodSync(`/run/${instance}/jail`, 0o755);
    renameSync(`/run/${instance}/jail/tenants`, `/run/${instance}/jail/aside`);
    mkdirSync(`/run/${instance}/jail/tenants`, { mode: 0o755 });
    symlinkSync(`../aside/${uid}`, `/run/${instance}/jail/tenants/${uid}`);
    none(/its state cannot be read: a link is in its place/);
    rmSync(`/run/${instance}/jail/tenants`, { recursive: true });
    renameSync(`/run/${instance}/jail/aside`, `/run/${instance}/jail/tenants`);
    assert.equal(start('tenant').status, 0);
  });

  test('looks into directories inside the jail', () => {
    const look = (key: string, ...paths: readonly string[]) =>
      call(launcher, ['look', instance, `${uid}`, `${uid}`, 'nobody', key, ...paths]);
    const outside = look('', '/usr', '/etc/cron.d', scratch);
    assert.deepEqual([outside.status, outside.stdout], [0, '']);
    const { status, stdout } = look(`${uid}`, '/usr', '/etc/cron.d', scratch);
    assert.deepEqual([status, stdout], [0, '/etc/cron.d: No such file or directory\n']);
  });
});
