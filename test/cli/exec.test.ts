/** `bulkhead exec` gives a command the tenant's ids, cgroup, directory and environment. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  account,
  group,
  tree,
  skip,
  scratch,
  home,
  uid,
  gid,
  type LaunchOptions,
  launch,
  output,
  assertRefused,
  useTenant,
  pathInHierarchy,
} from './exec-stage.ts';

describe('bulkhead exec', { skip }, () => {
  useTenant();

  test("runs with the tenant's uid and groups and no privilege", () => {
    const lines = output('id -u; id -g; id -Gn; umask; cat /proc/self/status').split('\n');
    assert.deepEqual(lines.slice(0, 4), [String(uid), String(gid), `${account} ${group}`, '0022']);
    const status = lines.slice(4).join('\n');
    assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
    assert.match(status, new RegExp(`^Gid:\\t${gid}\\t${gid}\\t${gid}\\t${gid}$`, 'm'));
    assert.match(status, /^NoNewPrivs:\t1$/m);
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
      assert.match(status, new RegExp(`^Cap${set}:\\t0+$`, 'm'));
  });

  test("runs in the tenant's cgroup in every hierarchy", () => {
    const cgroups = output('cat /proc/self/cgroup') + '\n';
    for (const root of tree.roots)
      assert.ok(cgroups.includes(pathInHierarchy(root, `u${uid}`) + '\n'), cgroups);
  });

  test('starts in the home, or in the directory of --chdir', () => {
    assert.equal(output('pwd'), home);
    assert.equal(output('pwd', { options: ['--chdir', '/usr'] }), '/usr');
  });

  test("passes only the caller's descriptors on with --keep-fds, and keeps its pid", () => {
    const given = Array.from({ length: 12 }, (_, index) => index + 3);
    const show = `for fd in ${given.join(' ')}; do readlink /proc/$$/fd/$fd; done`;
    const script = `LISTEN_FDS=12 LISTEN_PID=$$; export LISTEN_FDS LISTEN_PID; { ${show}; } >&2; exec "$@"`;
    const result = launch(account, ['sh', '-c', `echo $LISTEN_FDS; ls /proc/$$/fd; ${show}`], {
      prefix: ['sh', '-c', script, 'sh'],
      options: ['--keep-fds', '--keep-env', 'LISTEN_FDS', '--keep-env=LISTEN_PID'],
      stdio: ['ignore', 'pipe', 'pipe', ...given.map(() => 'pipe' as const)],
    });
    assert.equal(result.status, 0, result.stderr);
    const lines = result.stdout.trim().split('\n');
    const own = lines.slice(1, -given.length).map(Number);
    assert.equal(lines[0], '12');
    assert.deepEqual(
      own.filter((fd) => fd <= 14).sort((a, b) => a - b),
      [0, 1, 2, ...given],
    );
    assert.deepEqual(lines.slice(-given.length), result.stderr.trim().split('\n'));
    assert.ok(lines.slice(-given.length).every((link) => link.startsWith('socket:')));
  });

  test('ignores setuid bits, and withholds host-wide capabilities with --allow-setuid', (t) => {
    // A setuid shell without "-p" drops what it gained; cat does not. systemd mounts /tmp with nosuid.
    const directory = fs.mkdtempSync('/var/tmp/bulkhead-setuid-');
    fs.chmodSync(directory, 0o755);
    t.after(() => fs.rmSync(directory, { recursive: true }));
    const cat = join(directory, 'setuid-cat');
    execFileSync('install', ['-m', '4755', '/bin/cat', cat]);
    const field = (text: string, name: string) =>
      new RegExp(`^${name}:\\t(.*)$`, 'm').exec(text)?.[1] ?? 'none';
    const status = (program: string, options: string[]) =>
      output(`${program} /proc/self/status`, { options });
    assert.equal(field(status(cat, []), 'Uid'), [uid, uid, uid, uid].join('\t'));

    const itself = status('cat', ['--allow-setuid']);
    assert.equal(field(itself, 'NoNewPrivs'), '0');
    for (const set of ['Inh', 'Prm', 'Eff', 'Amb'])
      assert.match(field(itself, `Cap${set}`), /^0+$/);
    const gained = status(cat, ['--allow-setuid']);
    assert.equal(field(gained, 'Uid'), [uid, 0, 0, 0].join('\t'));
    const capabilities = BigInt(`0x${field(gained, 'CapEff')}`);
    const [setuid, sysModule, sysAdmin, mknod] = [7n, 16n, 21n, 27n];
    assert.equal((capabilities >> setuid) & 1n, 1n);
    for (const lost of [sysModule, sysAdmin, mknod]) assert.equal((capabilities >> lost) & 1n, 0n);
  });

  test("exits with the command's status, or 127 when missing, or 126 when not executable", () => {
    const status = (...command: string[]) => launch(account, command).status;
    assert.equal(status('true'), 0);
    assert.equal(status('sh', '-c', 'exit 42'), 42);
    assert.equal(status('no-such-command'), 127);
    assert.equal(status('/no/such/command'), 127);
    assert.equal(status('/etc/passwd'), 126);
    assert.equal(status(scratch), 126);
  });

  test('dies of the signal that kills the command', () => {
    assert.equal(launch(account, ['sh', '-c', 'kill -TERM $$']).signal, 'SIGTERM');
  });

  test('passes standard input and arguments on unchanged', () => {
    assert.equal(output('cat', { input: 'hello' }), 'hello');
    const odd = ['', ' ', "a'b", '$HOME', '*', '-n', '--', 'a\nb', '\\c'];
    const result = launch(account, ['printf', '<%s>', ...odd]);
    assert.equal(result.stdout, odd.map((word) => `<${word}>`).join(''));
  });

  test('clears the environment except TERM, LANG and --keep-env', () => {
    const odd = `a'b "c" $(id) \`id\` \\ \n'`;
    const env = {
      ...process.env,
      LANG: 'C',
      TERM: odd,
      SECRET: '1',
      KEPT: odd,
      EMPTY: '',
      'BASH_FUNC_ls%%': '() { id; }',
    };
    const options = ['--keep-env', 'KEPT', '--keep-env', 'EMPTY', '--keep-env', 'ABSENT'];
    const given = environment({ env, options });
    assert.deepEqual(given, expectedEnvironment({ EMPTY: '', KEPT: odd, LANG: 'C', TERM: odd }));
  });

  test('ignores a hostile environment', () => {
    const evil = fs.mkdtempSync(join(scratch, 'evil-'));
    const marker = join(evil, 'marker');
    fs.writeFileSync(join(evil, 'rc'), `touch ${marker}\n`);
    for (const name of ['getent', 'setpriv', 'env', 'sh', 'id', 'true']) {
      fs.writeFileSync(join(evil, name), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
    }
    const functions = [
      'read',
      'printf',
      '[',
      'echo',
      'umask',
      'id',
      'quote',
      'die',
      'unset',
      'exec',
    ];
    const env: NodeJS.ProcessEnv = {
      ...Object.fromEntries(
        functions.map((name) => [`BASH_FUNC_${name}%%`, `() { touch ${marker}; }`]),
      ),
      BASH_ENV: join(evil, 'rc'),
      ENV: join(evil, 'rc'),
      IFS: '/run',
      CDPATH: '/',
      PS4: `$(touch ${marker})`,
      LD_PRELOAD: '/nonexistent/evil.so',
      TERM: `'; touch ${marker}; '`,
      bh_env: `touch ${marker};`,
      bh_instance: 'none',
      BULKHEAD_RUNTIME: evil,
      tenant: 'root',
      uid: '0',
      PATH: evil,
    };
    const result = launch(account, ['sh', '-c', 'id -u; pwd; env'], { env });
    assert.equal(result.status, 0, result.stderr);
    assert.ok(result.stdout.startsWith(`${uid}\n${home}\n`), result.stdout);
    assert.doesNotMatch(result.stdout, /^(ENV|BASH_|LD_|IFS|CDPATH|PS4|bh_|BULKHEAD)/m);
    assert.ok(!fs.existsSync(marker));
    // The loader prints errors in what runs before the launcher can do anything, and in nothing after that.
    const errors = result.stderr.split('\n').filter((line) => line.includes('evil.so'));
    assert.ok(errors.length <= 1, result.stderr);
  });

  test('starts in / when the home is closed, and fails when --chdir is', () => {
    const gate = join(scratch, 'gate');
    fs.chmodSync(gate, 0o700);
    try {
      assert.equal(output('pwd; echo $PWD'), '/\n/');
      const result = launch(account, ['pwd'], { options: ['--chdir', home] });
      assertRefused(result, /cd/);
    } finally {
      fs.chmodSync(gate, 0o755);
    }
  });
});

/**
 * Returns the environment of a command, without what bash always adds: `_` names the command, SHLVL is 0.
 */
function environment(given: LaunchOptions): Record<string, string> {
  const { stdout, stderr } = launch(account, ['/usr/bin/env', '-0'], given);
  const pairs = stdout.split('\0').filter((pair) => pair !== '' && !/^_=|^SHLVL=0$/.test(pair));
  assert.notEqual(pairs.length, 0, stderr);
  return Object.fromEntries(
    pairs.map((pair) => [pair.replace(/=.*/s, ''), pair.replace(/^.*?=/s, '')]),
  );
}

function expectedEnvironment(extra: Readonly<Record<string, string>>): Record<string, string> {
  return {
    HOME: home,
    LOGNAME: account,
    PATH: '/usr/local/bin:/usr/bin:/bin',
    PWD: home,
    SHELL: '/bin/sh',
    USER: account,
    ...extra,
  };
}
