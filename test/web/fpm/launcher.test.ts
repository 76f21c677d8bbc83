/** bulkhead-fpm, which units start, without a jail: what php-fpm is told of its sockets, and what it starts as. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { compileFpm } from '../../../scripts/entry.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { findTree, launchText, removeCgroup } from '../../cli/launch-stage.ts';

const instance = `bulkhead-fpm-launcher-${process.pid}`;
const tree = findTree(instance);
const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : tree.roots.length === 0
      ? 'needs cgroups'
      : (false as const);
const uid = 7_000_101;
const modes = ['tenant', 'root', 'slice', 'slice-root'] as const;
type Mode = (typeof modes)[number];

const ownStatus = () => readFileSync('/proc/self/status', 'utf8');
const boundingSet = (status: string) =>
  BigInt(`0x${/^CapBnd:\t([0-9a-f]+)$/m.exec(status)?.[1] ?? ''}`);

suite('bulkhead-fpm without a jail', { skip }, () => {
  const launcher = compileFpm();
  const scratch = suiteDirectory('fpm-test', undefined, 0o755);

  /** Instead of php-fpm. */
  const program = (script: string): string => {
    const path = join(scratch, 'program');
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  };
  const call = (args: readonly string[], names?: string, more: Readonly<object> = {}) =>
    spawnSync(launcher, args, {
      env: {
        ...(names !== undefined && { LISTEN_FDNAMES: names, LISTEN_FDS: '9', LISTEN_PID: '1' }),
        LISTEN_PIDFDID: '1',
        NOTIFY_SOCKET: '/run/systemd/notify',
        HOME: '/of/the/unit',
        LANG: 'C.UTF-8',
        OTHER: 'other',
      },
      encoding: 'utf8',
      cwd: '/etc',
      timeout: patienceMilliseconds,
      ...more,
    });
  const words = (mode: Mode, script: string, site: readonly string[] = []) => [
    mode,
    instance,
    mode === 'slice' ? `${uid}:${uid}` : `${uid}`,
    program(script),
    '/x.conf',
    ...site,
  ];
  const launch = (mode: Mode, script: string, ...site: readonly string[]) =>
    call(words(mode, script, site), '/run/a.sock');

  const each = (action: (root: string) => void) => tree.roots.forEach((root) => action(root));
  const make = (...places: readonly string[]) =>
    each((root) => places.forEach((place) => mkdirSync(`${root}/${place}`, { recursive: true })));
  const removeTree = () => each(removeCgroup);
  const writeLaunch = () => writeFileSync(`/run/${instance}/launch`, launchText(tree));

  before(() => {
    mkdirSync(`/run/${instance}`);
    writeLaunch();
    make(`u${uid}`);
  });
  after(() => {
    removeTree();
    rmSync(`/run/${instance}`, { recursive: true });
    rmSync(`/var/lib/${instance}`, { recursive: true, force: true });
  });

  test("passes each socket's path and descriptor to php-fpm", () => {
    const shown =
      'echo "$FPM_SOCKETS|${LISTEN_FDS-}${LISTEN_PID-}${LISTEN_FDNAMES-}${LISTEN_PIDFDID-}${NOTIFY_SOCKET-}|$PATH|$*"';
    const told = (names: string) => call(words('slice-root', shown), names).stdout.split('|');
    assert.equal(told('/run/a.sock')[0], '/run/a.sock=3');
    assert.equal(told('/run/a.sock:/run/b.sock')[0], '/run/a.sock=3,/run/b.sock=4');
    // No text in a name acts as a pattern or a command.
    assert.equal(told('/run/*:$(id)')[0], '/run/*=3,$(id)=4');
    assert.deepEqual(told('/run/a.sock').slice(1), [
      '',
      '/usr/bin:/bin:/usr/sbin:/sbin',
      '--nodaemonize --fpm-config /x.conf\n',
    ]);
  });

  test('refuses names of sockets that php-fpm would read differently', () => {
    for (const names of [
      '/run/a.sock=0,/run/b.sock',
      '/run/a.sock,/run/b.sock=7',
      '/run/a.sock=0',
      '/run/a.sock::/run/b.sock',
      '/run/a.sock:',
      ':',
      '/run/a.sock\n/run/b.sock',
      '/run/a sock',
      `/run/${'a'.repeat(5000)}=1`,
    ])
      for (const mode of modes) {
        const { status, stdout, stderr } = call(words(mode, 'echo ran'), names);
        assert.deepEqual([status, stdout], [1, ''], names);
        assert.match(stderr, /^bulkhead: .*systemd passed a socket with the name "/);
      }
  });

  test('does not start php-fpm without a socket or a cgroup', () => {
    for (const mode of modes)
      for (const names of [undefined, '']) {
        const { status, stdout, stderr } = call(words(mode, 'echo ran'), names);
        assert.deepEqual([status, stdout], [1, '']);
        assert.match(stderr, /systemd passed no socket/);
      }
    for (const mode of ['root', 'tenant'] as const) {
      rmSync(`/run/${instance}/launch`);
      const outside = launch(mode, 'echo ran');
      writeLaunch();
      assert.deepEqual([outside.status, outside.stdout], [1, '']);
      assert.match(outside.stderr, /there is no \/run\/\S+\/launch/);
    }
  });

  test('refuses words that no unit has', () => {
    const ran = program('echo ran');
    const refuse = (...args: readonly string[]) => {
      const { status, stdout, stderr } = call(args, '/run/a.sock');
      assert.deepEqual([status, stdout], [1, ''], args.join(' '));
      return stderr;
    };
    assert.match(refuse('elsewhere', instance, '1001', ran, '/x.conf'), /"elsewhere" is unknown/);
    assert.match(refuse(), /"" is unknown/);
    for (const args of [
      ['slice-root', instance, '1001', ran, '/x.conf', 'shop.example', 'more'],
      ['slice-root', instance, '1001', ran],
      ['slice-root', instance, '1001', 'program', '/x.conf'],
      ['slice-root', instance, '1001', ran, 'x.conf'],
      ['slice-root', instance, '1001:1001', ran, '/x.conf'],
      ['slice', instance, '1001', ran, '/x.conf'],
      ['slice', instance, '1001:', ran, '/x.conf'],
      ['slice', instance, '1001:00', ran, '/x.conf'],
      ...['', '0', '01', '-1', '+1', ' 1', '4294967295', '4294967296', 'root'].map((each) => [
        'tenant',
        instance,
        each,
        ran,
        '/x.conf',
      ]),
      ...['', '-', '..', '../x', 'Bulkhead', 'a/b'].map((each) => [
        'tenant',
        each,
        '1001',
        ran,
        '/x.conf',
      ]),
      ...['', '..', 'a/b', '../main', 'Shop.example', 'a b'].map((each) => [
        'tenant',
        instance,
        '1001',
        ran,
        '/x.conf',
        each,
      ]),
    ])
      assert.match(refuse(...args), /^bulkhead: Cannot start php-fpm: wrong usage/, args.join(' '));
  });

  test('runs as the tenant with the groups of the account in a slice', () => {
    const identity = program(
      `echo "$FPM_SOCKETS $(id -u):$(id -g):$(id -G) $HOME $OTHER"; grep -E '^(Cap|NoNewPrivs)' /proc/self/status`,
    );
    for (const [ids, groups] of [
      ['65534:65534', '65534:65534:65534'],
      ['65534:33', '65534:33:33'],
    ]) {
      const args = ['slice', instance, ids ?? '', identity, '/x.conf'];
      const { stdout, stderr } = call(args, '/run/a.sock');
      assert.ok(stdout.startsWith(`/run/a.sock=3 ${groups} /of/the/unit other\n`), stdout + stderr);
      for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
        assert.match(stdout, new RegExp(`^Cap${set}:\t0+$`, 'm'));
      // PHP starts sendmail, which is setgid or setuid.
      assert.match(stdout, /^NoNewPrivs:\t0$/m);
      assert.equal(boundingSet(stdout), boundingSet(ownStatus()));
    }
    const unknown = launch('slice', 'echo ran');
    assert.deepEqual([unknown.status, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, new RegExp(`uid ${uid}: there is no such account`));
  });

  test('runs as the tenant in its cgroup, with a clean environment', () => {
    const { status, stdout, stderr } = launch(
      'tenant',
      'pwd; env | sort; echo; cat /proc/self/cgroup /proc/self/status',
    );
    assert.equal(status, 0, stderr);
    const [first] = stdout.split('\n\n');
    assert.deepEqual(first?.split('\n'), [
      '/',
      'FPM_SOCKETS=/run/a.sock=3',
      'HOME=/',
      'LANG=C.UTF-8',
      `LOGNAME=${uid}`,
      'PATH=/usr/local/bin:/usr/bin:/bin',
      'PWD=/',
      'SHELL=/bin/sh',
      `USER=${uid}`,
    ]);
    const places = stdout.match(new RegExp(`:/${instance}/u${uid}$`, 'gm')) ?? [];
    assert.equal(places.length, tree.roots.length, stdout);
    assert.match(stdout, new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t${uid}$`, 'm'));
    assert.match(stdout, /^CapEff:\t0+$/m);
    assert.match(stdout, /^NoNewPrivs:\t0$/m);
    // Capabilities that sendmail needs, as far as this machine has them.
    assert.equal(boundingSet(stdout), boundingSet(ownStatus()) & 0x2004_25fbn);
  });

  test('passes on its sockets, and no other descriptor', () => {
    const secret = join(scratch, 'secret');
    writeFileSync(secret, 'secret', { mode: 0o600 });
    const fd = openSync(secret, 'r');
    try {
      for (const mode of modes) {
        const script = 'for f in 3 4 5 6 7 8; do [ -e /proc/$$/fd/$f ] && echo $f; done; true';
        const args =
          mode === 'slice'
            ? ['slice', instance, '65534:65534', program(script), '/x.conf']
            : words(mode, script);
        const stdio = ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', fd, fd, fd];
        const { stdout, stderr } = call(args, '/run/a.sock:/run/b.sock', { stdio });
        assert.equal(stdout, '3\n4\n', `${mode} ${stderr}`);
      }
    } finally {
      closeSync(fd);
    }
  });

  test("moves a master into its site's cgroup, or else to main", (t) => {
    t.after(() => {
      removeTree();
      make(`u${uid}`);
    });
    removeTree();
    const places = (mode: Mode, ...site: readonly string[]) => {
      const { status, stdout, stderr } = launch(mode, 'cat /proc/self/cgroup', ...site);
      assert.equal(status, 0, stderr);
      const found = [...stdout.matchAll(new RegExp(`:/${instance}/r1000/u${uid}(.*)$`, 'gm'))];
      assert.equal(found.length, tree.roots.length, stdout);
      return [...new Set(found.map(([, place]) => place)), stderr];
    };
    const rest = (site: string) =>
      `bulkhead: The site ${site} of uid ${uid} has no cgroup: its pools run in the rest of the tenant\n`;
    make(`r1000/u${uid}`);
    for (const mode of ['root', 'tenant'] as const) {
      assert.deepEqual(places(mode), ['', '']);
      assert.deepEqual(places(mode, 'shop.example'), ['', rest('shop.example')]);
    }
    make(`r1000/u${uid}/main`, `r1000/u${uid}/s-shop.example`);
    for (const mode of ['root', 'tenant'] as const) {
      assert.deepEqual(places(mode), ['/main', '']);
      assert.deepEqual(places(mode, 'shop.example'), ['/s-shop.example', '']);
      assert.deepEqual(places(mode, 'gone.example'), ['/main', rest('gone.example')]);
    }
    // A unit in a slice is where it belongs.
    assert.equal(launch('slice-root', 'true', 'gone.example').stderr, '');
    removeTree();
    for (const mode of ['root', 'tenant'] as const) {
      const none = launch(mode, 'echo ran', 'shop.example');
      assert.deepEqual([none.status, none.stdout], [1, '']);
      assert.match(none.stderr, new RegExp(`uid ${uid} has no cgroup`));
    }
  });

  test('does not start php-fpm of a stopped tenant', () => {
    mkdirSync(`/var/lib/${instance}/stopped`, { recursive: true });
    writeFileSync(`/var/lib/${instance}/stopped/${uid}`, '{}');
    for (const mode of modes) {
      const { status, stdout, stderr } = launch(mode, 'echo ran');
      assert.deepEqual([status, stdout], [1, ''], mode);
      assert.match(stderr, new RegExp(`uid ${uid}: it is stopped; bulkhead start ${uid}`));
    }
    rmSync(`/var/lib/${instance}/stopped/${uid}`);
    assert.equal(launch('slice-root', 'true').status, 0);
  });

  test('starts nobody in a slice who had a jail before the machine was started', () => {
    const list = `/var/lib/${instance}/jailed`;
    mkdirSync(`/var/lib/${instance}`, { recursive: true });
    const refuse = (reason: RegExp) => {
      for (const mode of ['slice', 'slice-root'] as const) {
        const { status, stdout, stderr } = launch(mode, 'echo ran');
        assert.deepEqual([status, stdout], [1, ''], mode);
        assert.match(stderr, reason, mode);
      }
    };
    writeFileSync(list, `${uid}\n`);
    refuse(/its jail is not there any more, or not yet; run bulkhead apply/);
    chmodSync(list, 0o666);
    refuse(/whether it has a jail cannot be read: others than root can change it/);
    chmodSync(list, 0o644);
    writeFileSync(list, `${uid + 1}\n`);
    assert.equal(launch('slice-root', 'true').status, 0);
    rmSync(list);
    assert.equal(launch('slice-root', 'true').status, 0);
  });

  test('starts nothing when a state file of a jail is not what Bulkhead wrote', () => {
    const directory = `/run/${instance}/jail/tenants`;
    mkdirSync(directory, { recursive: true });
    const file = `${directory}/${uid}`;
    const whole = 'jail 1\nprofile web\nstate ready\nfilter no\nlandlock no\nend\n';
    const refuse = (reason: RegExp) => {
      for (const mode of [...modes, 'copy'] as readonly Mode[]) {
        const { status, stdout, stderr } = launch(mode, 'echo ran');
        assert.deepEqual([status, stdout], [1, ''], mode);
        assert.match(stderr, reason, mode);
      }
      rmSync(file, { force: true, recursive: true });
    };
    const reasons = { cut: /it is cut off/, others: /others than root can change it/ } as const;
    writeFileSync(file, '');
    refuse(reasons.cut);
    writeFileSync(file, whole.slice(0, -4));
    refuse(reasons.cut);
    writeFileSync(`${directory}/other`, whole);
    symlinkSync('other', file);
    refuse(/a link is in its place/);
    writeFileSync(file, whole);
    chmodSync(file, 0o666);
    refuse(reasons.others);
    writeFileSync(file, whole);
    chownSync(file, uid, uid);
    refuse(reasons.others);
    mkdirSync(file);
    refuse(reasons.others);
    chmodSync(directory, 0o777);
    writeFileSync(file, whole);
    refuse(reasons.others);
    chmodSync(directory, 0o755);
    assert.equal(launch('tenant', 'true').status, 0);
    assert.equal(launch('copy' as Mode, 'true').status, 0);
  });

  test('prints which directories a tenant cannot enter, and only root can ask', () => {
    mkdirSync(join(scratch, 'open'), { mode: 0o755 });
    mkdirSync(join(scratch, 'closed'), { mode: 0o700 });
    mkdirSync(join(scratch, 'group'), { mode: 0o710 });
    chownSync(join(scratch, 'group'), 0, 65_534);
    const directories = ['open', 'closed', 'group', 'missing'].map((each) => join(scratch, each));
    const look = (gid: string, ...more: readonly string[]) =>
      call(['look', instance, `${uid}`, gid, 'nobody', ...more]);
    const closed = `${scratch}/closed: Permission denied\n`;
    const missing = `${scratch}/missing: No such file or directory\n`;
    assert.equal(look('65534', '', ...directories).stdout, closed + missing);
    assert.equal(
      look('1', '', ...directories).stdout,
      `${closed}${scratch}/group: Permission denied\n${missing}`,
    );
    assert.equal(look('1', '', '/').status, 0);
    assert.equal(look('1', '', 'srv').stdout, 'srv: it is not absolute\n');
    for (const [gid, key, ...more] of [
      ['1', ''],
      ['-1', '', '/'],
      ['1', `${uid + 1}`, '/'],
      ['1', `${uid}-..`, '/'],
    ] as const) {
      const { status, stdout, stderr } = look(gid, key, ...more);
      assert.deepEqual([status, stdout], [1, ''], key);
      assert.match(stderr, /wrong usage/);
    }
    const inJail = look('1', `${uid}`, '/');
    assert.deepEqual([inJail.status, inJail.stdout], [1, '']);
    assert.match(inJail.stderr, /^bulkhead: its jail cannot be entered: /);
    const outsider = call(['look', instance, `${uid}`, '1', 'nobody', '', '/'], undefined, {
      uid: 65_534,
    });
    assert.equal(outsider.status, 1);
    assert.match(outsider.stderr, /only root can/);
  });
});
