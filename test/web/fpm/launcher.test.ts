/** The scripts that systemd runs: what php-fpm is told of its sockets, and that it starts whatever happens to us. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { packageFile } from '../../../src/sys/package-files.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const scratch = suiteDirectory('fpm-test');

const shells = ['/bin/sh', '/bin/bash', '/usr/bin/busybox'].filter((each) => existsSync(each));
const words = (shell: string) => (shell.endsWith('busybox') ? [shell, 'sh'] : [shell]);

/** Instead of php-fpm: what it gets. */
const program = join(scratch, 'program');
before(() =>
  writeFileSync(program, '#!/bin/sh\necho "$FPM_SOCKETS|${LISTEN_FDS-}${LISTEN_FDNAMES-}|$*"\n', {
    mode: 0o755,
  }),
);

for (const shell of shells) {
  const launch = (
    names: string | undefined,
    how = 'slice-root',
    instance = '-',
    ...site: string[]
  ) => {
    const [first = '', ...rest] = words(shell);
    const args = [
      ...rest,
      packageFile('libexec/bulkhead-fpm'),
      how,
      instance,
      '1001',
      program,
      '/x.conf',
      ...site,
    ];
    const env = names === undefined ? {} : { LISTEN_FDNAMES: names, LISTEN_FDS: '9' };
    return spawnSync(first, args, { env, encoding: 'utf8', cwd: '/etc' });
  };

  test(`bulkhead-fpm with ${shell} passes each socket's path and descriptor to php-fpm`, () => {
    const told = (names: string) => launch(names).stdout.split('|')[0];
    assert.equal(told('/run/a.sock'), '/run/a.sock=3');
    assert.equal(told('/run/a.sock:/run/b.sock'), '/run/a.sock=3,/run/b.sock=4');
    // No text in a name acts as a pattern or a command.
    assert.equal(told('/run/*:$(id)'), '/run/*=3,$(id)=4');
    assert.equal(
      launch('/run/a.sock').stdout.split('|').slice(1).join('|'),
      '|--nodaemonize --fpm-config /x.conf\n',
    );
  });

  test(`bulkhead-fpm with ${shell} does not start php-fpm without a socket or a cgroup`, () => {
    const none = launch(undefined);
    assert.equal(none.status, 1);
    assert.match(none.stderr, /systemd passed no socket/);
    const outside = launch('/run/a.sock', 'root');
    assert.equal(outside.status, 1);
    assert.match(outside.stderr, /there is no \/run\/-\/launch/);
    assert.match(launch('/run/a.sock', 'elsewhere').stderr, /"elsewhere" is unknown/);
  });

  test(
    `bulkhead-fpm with ${shell} runs as the tenant with the account's groups in a slice`,
    { skip: process.getuid?.() !== 0 && 'needs root' },
    () => {
      chmodSync(scratch, 0o755);
      const identity = join(scratch, 'identity');
      writeFileSync(identity, '#!/bin/sh\necho "$FPM_SOCKETS $(id -u):$(id -g):$(id -G)"\n', {
        mode: 0o755,
      });
      const [first = '', ...rest] = words(shell);
      const script = [packageFile('libexec/bulkhead-fpm'), 'slice', '-', '65534:65534'];
      const { stdout, stderr } = spawnSync(first, [...rest, ...script, identity, '/x.conf'], {
        env: { LISTEN_FDNAMES: '/run/a.sock' },
        encoding: 'utf8',
      });
      assert.equal(stdout, '/run/a.sock=3 65534:65534:65534\n', stderr);
    },
  );

  /** An instance in which nothing is ever enabled. */
  const instance = 'bulkhead-fpm-sync-test';
  const state = `/etc/${instance}/fpm/8.4`;
  const canWrite = process.getuid?.() === 0;

  test(
    `bulkhead-fpm with ${shell} moves a root master into its site's cgroup, else to main`,
    { skip: !canWrite && 'needs root' },
    (t) => {
      const tree = join(scratch, `tree-${shell.replaceAll('/', '-')}`);
      const tenant = join(tree, 'r1000/u1001');
      t.after(() => rmSync(`/run/${instance}`, { recursive: true, force: true }));
      mkdirSync(`/run/${instance}`, { recursive: true });
      mkdirSync(tenant, { recursive: true });
      writeFileSync(`/run/${instance}/launch`, `join cgroup.procs\nroot ${tree}\n`);
      const joined = (site?: string) => {
        rmSync(join(scratch, 'joined'), { force: true });
        const { status, stderr } = launch(
          '/run/a.sock',
          'root',
          instance,
          ...(site === undefined ? [] : [site]),
        );
        assert.equal(status, 0, stderr);
        const found = ['', 'main/', 's-shop.example/'].filter((part) =>
          existsSync(join(tenant, `${part}cgroup.procs`)),
        );
        for (const part of found) rmSync(join(tenant, `${part}cgroup.procs`));
        return found;
      };
      assert.deepEqual(joined(), ['']);
      assert.deepEqual(joined('shop.example'), ['']);
      mkdirSync(join(tenant, 'main'));
      mkdirSync(join(tenant, 's-shop.example'));
      assert.deepEqual(joined(), ['main/']);
      assert.deepEqual(joined('shop.example'), ['s-shop.example/']);
      assert.deepEqual(joined('gone.example'), ['main/']);
      // A unit in a slice is where it belongs.
      assert.equal(launch('/run/a.sock', 'slice-root', instance, 'gone.example').stderr, '');
      rmSync(tenant, { recursive: true });
      const none = launch('/run/a.sock', 'root', instance, 'shop.example');
      assert.equal(none.status, 1);
      assert.match(none.stderr, /uid 1001: it has no cgroup/);
      assert.match(
        launch('/run/a.sock', 'slice-root', '-', 'shop.example', 'more').stderr,
        /wrong usage/,
      );
    },
  );

  test(
    `bulkhead-fpm with ${shell} does not start php-fpm of a stopped tenant`,
    { skip: !canWrite && 'needs root' },
    (t) => {
      t.after(() => rmSync(`/var/lib/${instance}`, { recursive: true, force: true }));
      mkdirSync(`/var/lib/${instance}/stopped`, { recursive: true });
      writeFileSync(`/var/lib/${instance}/stopped/1001`, '{}');
      for (const how of ['tenant', 'root', 'slice', 'slice-root']) {
        const { status, stderr } = launch('/run/a.sock', how, instance);
        assert.equal(status, 1, how);
        assert.match(stderr, /uid 1001: it is stopped; bulkhead start 1001/);
      }
      rmSync(`/var/lib/${instance}/stopped/1001`);
      assert.equal(launch('/run/a.sock', 'slice-root', instance).status, 0);
    },
  );

  const links = () => readdirSync(`${state}/pools/1`).sort();

  test(
    `bulkhead-fpm-sync with ${shell} links new pools when the program fails`,
    { skip: !canWrite && 'needs root' },
    (t) => {
      t.after(() => rmSync(`/etc/${instance}`, { recursive: true, force: true }));
      const pools = join(scratch, `pools-${shell.replaceAll('/', '-')}`);
      mkdirSync(pools);
      mkdirSync(`${state}/pools/1`, { recursive: true });
      for (const name of ['known.conf', 'served.conf', 'new.conf', 'other.txt'])
        writeFileSync(join(pools, name), '');
      symlinkSync(join(pools, 'known.conf'), `${state}/pools/1/000001-known.conf`);
      symlinkSync(join(pools, 'gone.conf'), `${state}/pools/1/000002-gone.conf`);
      writeFileSync(`${state}/left-out`, `include ${pools}/*.conf\nfile ${pools}/served.conf\n`);
      const [first = '', ...rest] = words(shell);
      const script = packageFile('libexec/bulkhead-fpm-sync');
      // No policy of this instance exists, so the program itself fails.
      const split = (when: string) =>
        spawnSync(first, [...rest, script, instance, '8.4', when, '/nonexistent/policy.xml'], {
          encoding: 'utf8',
        });
      for (const when of ['start', 'reload']) {
        const { status, stderr } = split(when);
        assert.equal(status, 0, stderr);
        assert.match(stderr, /divided as they were before/);
        assert.deepEqual(links(), ['000001-known.conf', '999999-new.conf']);
      }
      assert.equal(readlinkSync(`${state}/pools/1/999999-new.conf`), join(pools, 'new.conf'));
      rmSync(`${state}/left-out`);
      assert.equal(split('start').status, 0);
      assert.equal(lstatSync(state).isDirectory(), true);
    },
  );
}
