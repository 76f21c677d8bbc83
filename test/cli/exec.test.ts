// `bulkhead exec` on the real kernel: real cgroups of an instance of its own, and a real account, both
// removed afterwards. What matters most runs three times, with dash, busybox and bash as /bin/sh.

import '../../src/testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { SpawnSyncReturns, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { patienceMilliseconds } from '../../src/testing/patience.ts';

const launcher = new URL('../../libexec/bulkhead-exec', import.meta.url).pathname;
const entry = new URL('../../bulkhead', import.meta.url).pathname;
const instance = `bulkhead-exectest-${process.pid}`;
const account = `bhexec${process.pid}`;
const group = `bhexecg${process.pid}`;
const resellerUid = 7_000_000;
const uidWithoutAccount = 7_000_001;

// --- The host ---------------------------------------------------------------------------------------

type Tree = {
  readonly join: 'tasks' | 'cgroup.procs';
  readonly roots: readonly string[];
};

const tree = findTree();

function findTree(): Tree {
  const cgroup2Magic = 0x63677270;
  if (!fs.existsSync('/sys/fs/cgroup')) return { join: 'tasks', roots: [] };
  if (fs.statfsSync('/sys/fs/cgroup').type === cgroup2Magic) {
    return { join: 'cgroup.procs', roots: [`/sys/fs/cgroup/${instance}`] };
  }
  const hierarchies = ['cpu', 'cpuacct', 'memory', 'blkio', 'pids', 'freezer']
    .map((controller) => `/sys/fs/cgroup/${controller}`)
    .filter((hierarchy) => fs.existsSync(`${hierarchy}/tasks`));
  return { join: 'tasks', roots: hierarchies.map((hierarchy) => `${hierarchy}/${instance}`) };
}

function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  if (tree.roots.length === 0) return 'needs cgroups';
  for (const program of ['/usr/bin/setpriv', '/usr/bin/getent', '/usr/sbin/useradd']) {
    if (!fs.existsSync(program)) return `needs ${program}`;
  }
  return false;
}

const skip = reasonToSkip();
const scratch = join(tmpdir(), instance);
// Every character that a careless script would trip over.
const home = join(scratch, 'gate', `it's $HOME; "home"`);
let uid = 0;
let gid = 0;

function makeAccount(): void {
  fs.mkdirSync(scratch);
  fs.chmodSync(scratch, 0o755);
  fs.mkdirSync(join(scratch, 'gate'));
  withRetry(() => execFileSync('groupadd', [group], { stdio: 'pipe' }));
  const options = ['--user-group', '--groups', group, '--create-home', '--home-dir', home];
  const run = () =>
    execFileSync('useradd', [...options, '--shell', '/bin/sh', account], { stdio: 'pipe' });
  withRetry(run);
  [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, account]))) as [
    number,
    number,
  ];
}

function removeAccount(): void {
  withRetry(() => execFileSync('userdel', [account], { stdio: 'pipe' }));
  withRetry(() => execFileSync('groupdel', [group], { stdio: 'pipe' }));
  fs.rmSync(scratch, { recursive: true });
}

/** Account tools fail while another holds the lock on /etc/passwd. */
function withRetry(run: () => void): void {
  for (let left = 20; ; left--) {
    try {
      return run();
    } catch (error) {
      if (left === 0) throw error;
      pause(100);
    }
  }
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Removes a cgroup and those below it; the last process in it may still be on its way out. */
function removeCgroup(path: string): void {
  if (!fs.existsSync(path)) return;
  for (const entry of fs.readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(join(path, entry.name));
  }
  for (let left = 50; ; left--) {
    try {
      return fs.rmdirSync(path);
    } catch (error) {
      if (left === 0) throw error;
      pause(20);
    }
  }
}

function makeTenant(place: string): void {
  for (const root of tree.roots) fs.mkdirSync(`${root}/${place}`, { recursive: true });
}

function removeTenant(place: string): void {
  for (const root of tree.roots) removeCgroup(`${root}/${place}`);
}

function launchText(from: Tree): string {
  return [`join ${from.join}`, ...from.roots.map((root) => `root ${root}`), ''].join('\n');
}

/** Calls `body` while the launch file has other text; `undefined` is no file. */
function withLaunchText(text: string | undefined, body: () => void): void {
  const path = `/run/${instance}/launch`;
  try {
    fs.rmSync(path);
    if (text !== undefined) fs.writeFileSync(path, text);
    body();
  } finally {
    fs.writeFileSync(path, launchText(tree));
  }
}

// --- Running ----------------------------------------------------------------------------------------

type Options = {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly stdio?: StdioOptions;
  readonly prefix?: readonly string[];
  readonly options?: readonly string[];
};

type Result = SpawnSyncReturns<string>;

function launch(tenant: string, command: readonly string[], given: Options = {}): Result {
  const { prefix = [], options = [], ...rest } = given;
  const own = [launcher, '--instance', instance, ...options, tenant, '--', ...command];
  const [program, ...args] = [...prefix, ...own] as [string, ...string[]];
  return spawnSync(program, args, { encoding: 'utf8', timeout: patienceMilliseconds, ...rest });
}

/** Standard output of a shell script that the tenant runs. */
function output(script: string, given: Options = {}): string {
  const result = launch(account, ['sh', '-c', script], given);
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim();
}

function assertRefused(result: Result, message: RegExp, status = 1): void {
  assert.match(result.stderr, message);
  assert.equal(result.status, status);
  assert.equal(result.stdout, '');
}

/** Commands in front of the launcher that make another shell /bin/sh, for it and for all it starts. */
function shellPrefix(shell: string): string[] {
  const target = fs.realpathSync('/bin/sh');
  if (target === fs.realpathSync(shell)) return [];
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
  return ['unshare', '--mount', target, '-c', script, 'sh', fs.realpathSync(shell), target];
}

// --- Tests ------------------------------------------------------------------------------------------

describe('bulkhead exec', { skip }, () => {
  before(() => {
    makeAccount();
    fs.mkdirSync(`/run/${instance}`);
    fs.writeFileSync(`/run/${instance}/launch`, launchText(tree));
    makeTenant(`u${uid}`);
  });

  after(() => {
    for (const root of tree.roots) removeCgroup(root);
    fs.rmSync(`/run/${instance}`, { recursive: true, force: true });
    removeAccount();
  });

  for (const shell of ['/usr/bin/dash', '/usr/bin/busybox', '/bin/bash']) {
    const missing = !fs.existsSync(shell) && `${shell} is not installed`;
    describe(`with ${shell} as /bin/sh`, { skip: missing }, () =>
      core(missing ? [] : shellPrefix(shell)),
    );
  }

  test('moves itself into a cgroup of a reseller', () => {
    removeTenant(`u${uid}`);
    makeTenant(`r${resellerUid}/u${uid}`);
    try {
      const cgroups = output('cat /proc/self/cgroup');
      for (const root of tree.roots)
        assert.ok(cgroups.includes(pathInHierarchy(root, `r${resellerUid}/u${uid}`)));
    } finally {
      removeTenant(`r${resellerUid}`);
      makeTenant(`u${uid}`);
    }
  });

  test('joins cgroup.procs on the unified hierarchy of a hybrid host', (t) => {
    const root = `/sys/fs/cgroup/unified/${instance}`;
    if (!fs.existsSync('/sys/fs/cgroup/unified/cgroup.procs'))
      return t.skip('this host is not hybrid');
    fs.mkdirSync(`${root}/u${uid}`, { recursive: true });
    try {
      withLaunchText(launchText({ join: 'cgroup.procs', roots: [root] }), () => {
        assert.match(output('cat /proc/self/cgroup'), new RegExp(`^0::/${instance}/u${uid}$`, 'm'));
      });
    } finally {
      removeCgroup(root);
    }
  });

  test('runs a uid that has no account, when it has a cgroup', () => {
    const place = `u${uidWithoutAccount}`;
    makeTenant(place);
    try {
      const result = launch(String(uidWithoutAccount), [
        'sh',
        '-c',
        'id -u; id -g; id -G; pwd; echo $HOME $USER',
      ]);
      const id = String(uidWithoutAccount);
      assert.equal(result.stdout, `${id}\n${id}\n${id}\n/\n/ ${id}\n`, result.stderr);
    } finally {
      removeTenant(place);
    }
  });

  test('takes the uid of an account for its name', () => {
    const result = launch(String(uid), ['sh', '-c', 'echo $USER']);
    assert.equal(result.stdout, `${account}\n`, result.stderr);
  });

  test('is reached through the entry, also through a link and with an instance first', () => {
    const link = join(scratch, 'link');
    fs.symlinkSync(entry, link);
    const rest = [account, '--', 'id', '-u'];
    for (const command of [
      [entry, 'exec', '--instance', instance, ...rest],
      [link, '--instance', instance, 'exec', ...rest],
      [link, `--instance=${instance}`, 'exec', ...rest],
    ] as [string, ...string[]][]) {
      const [program, ...args] = command;
      const result = spawnSync(program, args, { encoding: 'utf8' });
      assert.equal(result.stdout, `${uid}\n`, result.stderr);
    }
  });

  test('exits with 1 and the reason when the name is not a tenant', () => {
    assertRefused(
      launch('nobody', ['id']),
      /^bulkhead: "nobody" is not a tenant: uid \d+ has no cgroup .*see bulkhead status$/m,
    );
    assertRefused(
      launch('no-such-user', ['id']),
      /"no-such-user" is not a tenant: there is no such account/,
    );
    assertRefused(launch('4000000000', ['id']), /"4000000000" is not a tenant/);
    assertRefused(launch(String(2 ** 32 + uid), ['id']), /is not a tenant/);
  });

  test('refuses uid 0 under any name', () => {
    for (const name of ['root', '0', '00', '+0', ' 0', String(2 ** 32)]) {
      assertRefused(launch(name, ['id']), /not a tenant/);
    }
  });

  test('takes a name with odd characters for a name', () => {
    const marker = join(scratch, 'marker');
    const odd = [
      `$(touch ${marker})`,
      `"; touch ${marker}; "`,
      `' ; touch ${marker} #`,
      `../u${uid}`,
    ];
    for (const name of [
      ...odd,
      '*',
      'a b',
      'a\nb',
      '\u001b[31mred',
      `${account}:`,
      `${account}\n`,
    ]) {
      const result = launch(name, ['id']);
      assertRefused(result, /not a tenant/);
      assert.ok(!result.stderr.includes('\u001b'));
    }
    assert.ok(!fs.existsSync(marker));
  });

  test('takes a name that begins with a dash for an option, and refuses it', () => {
    for (const name of ['-x', '--', '--instance', '--keep-env', '--chdir', '--nonsense=1']) {
      const result = launch(name, ['id']);
      assert.equal(result.status, 2, name);
      assert.equal(result.stdout, '');
    }
  });

  test('exits with 2 when the usage is wrong', () => {
    const run = (...args: string[]) => spawnSync(launcher, args, { encoding: 'utf8' });
    assertRefused(run(), /TENANT is missing/, 2);
    assertRefused(run(account), /there must be --/, 2);
    assertRefused(run(account, 'id'), /there must be --/, 2);
    assertRefused(run(account, '--'), /COMMAND is missing/, 2);
    assertRefused(run(account, '--', '-c'), /begins with a dash/, 2);
    assertRefused(run('--chdir', 'etc', account, '--', 'id'), /not absolute/, 2);
    assertRefused(run('--instance', '../x', account, '--', 'id'), /not the name of an instance/, 2);
    assertRefused(run('--instance', '', account, '--', 'id'), /not the name of an instance/, 2);
    assertRefused(run('--keep-env', 'A;id', account, '--', 'id'), /not the name of a variable/, 2);
    assertRefused(run('--keep-env', 'PATH', account, '--', 'id'), /cannot be kept/, 2);
    assert.match(run('--help').stdout, /^Usage: bulkhead-exec/);
  });

  test('refuses everybody but root', () => {
    const prefix = [
      'setpriv',
      '--reuid',
      'nobody',
      '--regid',
      'nogroup',
      '--clear-groups',
      '/bin/sh',
    ];
    // As a script for sh, since the directories above the launcher may be closed to others.
    const text = fs.readFileSync(launcher, 'utf8');
    const args = [
      ...prefix.slice(1),
      '-c',
      text,
      'bulkhead-exec',
      '--instance',
      instance,
      account,
      '--',
      'id',
    ];
    assertRefused(spawnSync('setpriv', args, { encoding: 'utf8', cwd: '/' }), /only root can/);
  });

  test('says that no policy is in force when there is no launch file', () => {
    withLaunchText(undefined, () => {
      assertRefused(
        launch(account, ['id']),
        /^bulkhead: No policy is in force: .*run bulkhead apply$/m,
      );
    });
  });

  test('refuses a launch file that it does not understand', () => {
    const root = tree.roots[0];
    for (const text of [
      '',
      `join ${tree.join}\n`,
      `root ${root}\n`,
      `join memory.limit_in_bytes\nroot ${root}\n`,
      `join ${tree.join}\nroot ${scratch}\n`,
      `join ${tree.join}\nroot /sys/fs/cgroup/../../..${scratch}\n`,
      `join ${tree.join}\nbranch ${root}\n`,
    ]) {
      withLaunchText(text, () =>
        assertRefused(launch(account, ['id']), /Cannot use .*run bulkhead apply/),
      );
    }
  });

  test('does not run the command when one hierarchy cannot be joined', () => {
    const where = makeUnjoinable();
    try {
      const roots = [...(tree.join === 'tasks' ? tree.roots : []), where];
      withLaunchText(launchText({ join: tree.join, roots }), () => {
        assertRefused(
          launch(account, ['id']),
          /Cannot start "id" inside the limits .* cannot be joined/,
        );
      });
    } finally {
      removeCgroup(where);
    }
  });

  test('does not run the command when one hierarchy lacks the tenant', () => {
    const lacking = `${tree.roots[0]}/u${uid}`;
    withLaunchText(launchText({ join: tree.join, roots: [...tree.roots, lacking] }), () => {
      assertRefused(launch(account, ['id']), /cannot be joined/);
    });
  });

  test('starts in / when the home is closed, and not at all when --chdir is', () => {
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

  test('closes the descriptors that were left open', () => {
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'];
    assert.equal(output('ls /proc/$$/fd | grep -c "^[3-9]$" || true', { stdio }), '0');
  });

  test('passes a signal on, since the command is the launcher', async () => {
    const args = ['--instance', instance, account, '--', 'sh', '-c', 'echo $$; exec sleep 30'];
    const child = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    assert.equal(Number(chunk.toString()), child.pid);
    child.kill('SIGTERM');
    const [, signal] = (await once(child, 'exit')) as [null, string];
    assert.equal(signal, 'SIGTERM');
  });

  test('keeps the terminal when it has one', (t) => {
    if (!fs.existsSync('/usr/bin/script')) return t.skip('script(1) is not installed');
    const command = `${launcher} --instance ${instance} ${account} -- sh -c 'test -t 0 && test -t 1 && tty && echo ok >/dev/tty'`;
    const result = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      input: '',
    });
    assert.match(result.stdout, /^\/dev\/pts\/\d+\s+ok/m);
    assert.equal(result.status, 0);
  });

  test('resets a negative oom_score_adj for good, and leaves a positive one', (t) => {
    const adjusted = (value: number) => {
      const script = `echo ${value} >/proc/self/oom_score_adj && exec "$@"`;
      return ['sh', '-c', script, 'sh'];
    };
    const script = `cat /proc/self/oom_score_adj
      (echo -1 >/proc/self/oom_score_adj) 2>/dev/null || echo refused`;
    assert.equal(output(script, { prefix: adjusted(300) }), '300\nrefused');
    if (spawnSync('sh', [...adjusted(-1000).slice(1), 'true']).status !== 0)
      return t.skip('root cannot lower oom_score_adj here');
    assert.equal(output(script, { prefix: adjusted(-1000) }), '0\nrefused');
  });

  test('writes 0 over a negative oom_score_adj, also where root cannot make one', () => {
    const stand = join(scratch, 'oom_score_adj');
    const text = fs.readFileSync(launcher, 'utf8').replaceAll('/proc/self/oom_score_adj', stand);
    for (const [inherited, left] of [
      ['-1000', '0'],
      ['-1', '0'],
      ['0', '0'],
      ['300', '300'],
    ] as const) {
      fs.writeFileSync(stand, `${inherited}\n`);
      const args = ['-c', text, 'bulkhead-exec', '--instance', instance, account, '--', 'true'];
      assert.equal(spawnSync('/bin/sh', args).status, 0);
      assert.equal(fs.readFileSync(stand, 'utf8'), `${left}\n`);
    }
  });

  test('clears the environment also where setpriv cannot', () => {
    withLaunchText(`clear env\n${launchText(tree)}`, () => {
      const env = { ...process.env, LANG: 'C', TERM: 'vt100', SECRET: '1', KEPT: "it's" };
      const given = environment({ env, options: ['--keep-env=KEPT'] });
      assert.deepEqual(given, expectedEnvironment({ KEPT: "it's", LANG: 'C', TERM: 'vt100' }));
    });
  });
});

/** What has to be so whichever shell runs the launcher. */
function core(prefix: readonly string[]): void {
  test('runs as the tenant, with its groups and no privilege', () => {
    const lines = output('id -u; id -g; id -Gn; umask; cat /proc/self/status', { prefix }).split(
      '\n',
    );
    assert.deepEqual(lines.slice(0, 4), [String(uid), String(gid), `${account} ${group}`, '0022']);
    const status = lines.slice(4).join('\n');
    assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
    assert.match(status, new RegExp(`^Gid:\\t${gid}\\t${gid}\\t${gid}\\t${gid}$`, 'm'));
    assert.match(status, /^NoNewPrivs:\t1$/m);
    for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
      assert.match(status, new RegExp(`^Cap${set}:\\t0+$`, 'm'));
  });

  test('is in the cgroup of the tenant in every hierarchy', () => {
    const cgroups = output('cat /proc/self/cgroup', { prefix }) + '\n';
    for (const root of tree.roots)
      assert.ok(cgroups.includes(pathInHierarchy(root, `u${uid}`) + '\n'), cgroups);
  });

  test('starts in the home, or where --chdir says', () => {
    assert.equal(output('pwd', { prefix }), home);
    assert.equal(output('pwd', { prefix, options: ['--chdir', '/usr'] }), '/usr');
  });

  test('gives the exit status of the command, 127 if there is none, 126 if it cannot be executed', () => {
    const status = (...command: string[]) => launch(account, command, { prefix }).status;
    assert.equal(status('true'), 0);
    assert.equal(status('sh', '-c', 'exit 42'), 42);
    assert.equal(status('no-such-command'), 127);
    assert.equal(status('/no/such/command'), 127);
    assert.equal(status('/etc/passwd'), 126);
    assert.equal(status(scratch), 126);
  });

  test('dies of the signal that kills the command', () => {
    assert.equal(launch(account, ['sh', '-c', 'kill -TERM $$'], { prefix }).signal, 'SIGTERM');
  });

  test('passes standard input, and arguments as they are', () => {
    assert.equal(output('cat', { prefix, input: 'hello' }), 'hello');
    const odd = ['', ' ', "a'b", '$HOME', '*', '-n', '--', 'a\nb', '\\c'];
    const result = launch(account, ['printf', '<%s>', ...odd], { prefix });
    assert.equal(result.stdout, odd.map((word) => `<${word}>`).join(''));
  });

  test('clears the environment but for TERM, LANG and what is kept by name', () => {
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
    const given = environment({ prefix, env, options });
    assert.deepEqual(given, expectedEnvironment({ EMPTY: '', KEPT: odd, LANG: 'C', TERM: odd }));
  });

  test('is not led astray by a hostile environment', () => {
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
      // unshare, when a shell is put in place of /bin/sh, has to be found.
      PATH: prefix.length === 0 ? evil : `/usr/bin:/bin:${evil}`,
    };
    const result = launch(account, ['sh', '-c', 'id -u; pwd; env'], { prefix, env });
    assert.equal(result.status, 0, result.stderr);
    assert.ok(result.stdout.startsWith(`${uid}\n${home}\n`), result.stdout);
    assert.doesNotMatch(result.stdout, /^(ENV|BASH_|LD_|IFS|CDPATH|PS4|bh_|BULKHEAD)/m);
    assert.ok(!fs.existsSync(marker));
    // The loader complains in what runs before the launcher can do anything, and in nothing after that.
    const complaints = result.stderr.split('\n').filter((line) => line.includes('evil.so'));
    assert.ok(complaints.length <= (prefix.length === 0 ? 1 : 4), result.stderr);
  });
}

// --- Helpers ----------------------------------------------------------------------------------------

/** How /proc/self/cgroup names `place` below `root`. */
function pathInHierarchy(root: string, place: string): string {
  const name = tree.join === 'tasks' ? `:${root.split('/')[4]}:` : '0::';
  return `${name}/${instance}/${place}`;
}

/** The environment of a command, without what bash always adds: `_` names the command, SHLVL is 0. */
function environment(given: Options): Record<string, string> {
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

/** A root with a cgroup for the tenant that takes no process. */
function makeUnjoinable(): string {
  if (tree.join === 'tasks') {
    // A cpuset without processors and memory nodes, or, where there is no cpuset, nothing at all.
    const root = fs.existsSync('/sys/fs/cgroup/cpuset/tasks')
      ? `/sys/fs/cgroup/cpuset/${instance}`
      : `${tree.roots[0]}/x`;
    fs.mkdirSync(root.includes('cpuset') ? `${root}/u${uid}` : root, { recursive: true });
    return root;
  }
  // Below a threaded cgroup, a new one is invalid until it is threaded too.
  const root = `${tree.roots[0]}/threaded`;
  fs.mkdirSync(`${root}/u${uid}`, { recursive: true });
  fs.writeFileSync(`${root}/cgroup.type`, 'threaded');
  return root;
}
