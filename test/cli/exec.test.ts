// `bulkhead exec` on the real kernel: real cgroups of an instance of its own, and a real account, both
// removed afterwards.

import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { SpawnSyncReturns, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { findTree, launchText, pause, removeCgroup } from './launch-stage.ts';
import { compileExec } from '../../scripts/entry.ts';

const launcher = compileExec();
const entry = new URL('../../bulkhead', import.meta.url).pathname;
const instance = `bulkhead-exectest-${process.pid}`;
const account = `bhexec${process.pid}`;
const group = `bhexecg${process.pid}`;
const resellerUid = 7_000_000;
const uidWithoutAccount = 7_000_001;

// --- The host ---------------------------------------------------------------------------------------

const tree = findTree(instance);

function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  if (tree.roots.length === 0) return 'needs cgroups';
  for (const program of ['/usr/bin/setpriv', '/usr/sbin/useradd']) {
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

/** Runs account tools again if they fail because another process has the lock on /etc/passwd. */
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

function makeTenant(place: string): void {
  for (const root of tree.roots) fs.mkdirSync(`${root}/${place}`, { recursive: true });
}

function removeTenant(place: string): void {
  for (const root of tree.roots) removeCgroup(`${root}/${place}`);
}

/** Calls `body` while the launch file has other text; `undefined` is a missing file. */
function withLaunchText(text: string | undefined, body: () => void): void {
  const path = `/run/${instance}/launch`;
  try {
    fs.rmSync(path, { force: true });
    if (text !== undefined) fs.writeFileSync(path, text);
    body();
  } finally {
    fs.rmSync(path, { force: true });
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

/** Returns the standard output of a shell script that the tenant runs. */
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

  core();

  describe('with other accounts on the host', changedAccounts);

  test('joins the cgroup of a tenant below a reseller', () => {
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

  test('runs a uid without an account if it has a cgroup', () => {
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

  test('takes a uid for its account', () => {
    const result = launch(String(uid), ['sh', '-c', 'echo $USER']);
    assert.equal(result.stdout, `${account}\n`, result.stderr);
  });

  test('runs through the bulkhead script, a link to it, and with --instance first', () => {
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

  test("keeps variables that have names of the script's own with --keep-env", () => {
    const names = ['path', 'self', 'dir', 'verb', 'flags', 'instance', 'main'];
    const kept = Object.fromEntries(names.map((name) => [name, `the ${name}`]));
    const options = names.flatMap((name) => ['--keep-env', name]);
    for (const env of [kept, {}]) {
      const args = ['exec', '--instance', instance, ...options, account, '--', 'env'];
      const result = spawnSync(entry, args, { encoding: 'utf8', env });
      assert.equal(result.status, 0, result.stderr);
      const given = result.stdout.split('\n').filter((line) => names.includes(line.split('=')[0]!));
      assert.deepEqual(
        given.sort(),
        Object.keys(env)
          .map((name) => `${name}=the ${name}`)
          .sort(),
      );
    }
  });

  test('needs no readlink when npm installed it globally', () => {
    const bin = join(scratch, 'global', 'bin');
    const packages = join(scratch, 'global', 'lib', 'node_modules');
    for (const directory of [bin, packages]) fs.mkdirSync(directory, { recursive: true });
    fs.symlinkSync(join(entry, '..'), join(packages, 'bulkhead'));
    fs.symlinkSync('../lib/node_modules/bulkhead/bulkhead', join(bin, 'bulkhead'));
    const script = 'mount --bind /usr/bin/false /usr/bin/readlink && exec "$@"';
    const args = ['--mount', 'sh', '-c', script, 'sh', join(bin, 'bulkhead'), 'exec'];
    const rest = ['--instance', instance, account, '--', 'id', '-u'];
    const result = spawnSync('unshare', [...args, ...rest], { encoding: 'utf8' });
    assert.equal(result.stdout, `${uid}\n`, result.stderr);
  });

  test("exits with 1 and the reason when the name is not a tenant's", () => {
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

  test('treats a name with shell characters as a name', () => {
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

  test('exits with 2 when the name begins with a dash', () => {
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

  test('refuses to run for anybody but root', () => {
    // The directories above the launcher may be closed to others.
    const copy = join(scratch, 'bulkhead-exec');
    fs.copyFileSync(launcher, copy);
    const prefix = ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', copy];
    const args = [...prefix, '--instance', instance, account, '--', 'id'];
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

  test('refuses a damaged launch file', () => {
    const root = tree.roots[0];
    const whole = (lines: string) => `launch 1\n${lines}end\n`;
    const right = `join ${tree.join}\nroot ${root}\n`;
    for (const text of [
      '',
      right,
      `launch 1\n${right}`,
      whole(right).slice(0, -1),
      `launch 2\n${right}end\n`,
      `jail 1\n${right}end\n`,
      `${whole(right)}\0`,
      whole(right.repeat(1000)),
      whole(`join ${tree.join}\n`),
      whole(`root ${root}\n`),
      whole(`join memory.limit_in_bytes\nroot ${root}\n`),
      whole(`join ${tree.join}\nroot ${scratch}\n`),
      whole(`join ${tree.join}\nroot /sys/fs/cgroup/../../..${scratch}\n`),
      whole(`join ${tree.join}\nbranch ${root}\n`),
    ]) {
      withLaunchText(text, () =>
        assertRefused(launch(account, ['id']), /Cannot use .*run bulkhead apply/),
      );
    }
  });

  test('refuses a launch file that others than root could have written', () => {
    const path = `/run/${instance}/launch`;
    const refused = () => assertRefused(launch(account, ['id']), /Cannot use .*run bulkhead apply/);
    const spoils: readonly (() => void)[] = [
      () => fs.chmodSync(path, 0o666),
      () => fs.chownSync(path, uid, 0),
      () => {
        fs.renameSync(path, `${path}.aside`);
        fs.symlinkSync(`${path}.aside`, path);
      },
      () => {
        fs.rmSync(path);
        execFileSync('mkfifo', [path]);
      },
    ];
    for (const spoil of spoils)
      withLaunchText(launchText(tree), () => {
        spoil();
        refused();
        fs.rmSync(path);
        fs.rmSync(`${path}.aside`, { force: true });
      });
    fs.chmodSync(`/run/${instance}`, 0o777);
    try {
      assertRefused(launch(account, ['id']), /others than root can change it; run bulkhead apply/);
    } finally {
      fs.chmodSync(`/run/${instance}`, 0o755);
    }
  });

  test('runs nothing when one hierarchy cannot be joined', () => {
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

  test('runs nothing when one hierarchy lacks the tenant', () => {
    const lacking = `${tree.roots[0]}/u${uid}`;
    withLaunchText(launchText({ join: tree.join, roots: [...tree.roots, lacking] }), () => {
      assertRefused(launch(account, ['id']), /cannot be joined/);
    });
  });

  test('refuses a link in place of the directory of jails', () => {
    fs.mkdirSync(`/run/${instance}/elsewhere/tenants`, { recursive: true });
    fs.symlinkSync('elsewhere', `/run/${instance}/jail`);
    try {
      assertRefused(launch(account, ['id']), /its state cannot be read: a link is in its place/);
    } finally {
      fs.rmSync(`/run/${instance}/jail`);
      fs.rmSync(`/run/${instance}/elsewhere`, { recursive: true });
    }
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

  test('closes descriptors that the caller left open', () => {
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'];
    // The shell itself would have a descriptor open in a pipeline.
    const open = output('ls /proc/$$/fd; true', { stdio }).split('\n');
    assert.deepEqual(
      open.filter((fd) => /^[3-9]$/.test(fd)),
      [],
    );
  });

  test('passes a listening socket on with --keep-fds, as systemd does', async (t) => {
    if (!fs.existsSync('/usr/bin/perl')) return t.skip('perl is not installed');
    const path = join(scratch, 'listening');
    const listen = `use Socket; $^F = 9; socket(S, AF_UNIX, SOCK_STREAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die;
      listen(S, 5) or die; $ENV{LISTEN_PID} = $$; $| = 1; print fileno(S); shift; exec @ARGV`;
    const serve =
      'open(my $s, "+<&=", 3); accept(my $c, $s); syswrite($c, "$<:" . ($ENV{LISTEN_PID} == $$))';
    const options = ['--instance', instance, '--keep-fds', '--keep-env', 'LISTEN_PID'];
    const args = ['-e', listen, path, launcher, ...options, account, '--', 'perl', '-e', serve];
    const child = spawn('perl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [fd] = (await once(child.stdout, 'data')) as [Buffer];
      assert.equal(fd.toString(), '3');
      const answer = (await connect(path).setEncoding('utf8').toArray()) as string[];
      assert.equal(answer.join(''), `${uid}:1`);
    } finally {
      child.kill();
    }
  });

  test('replaces itself by the command, which gets its signals', async () => {
    const args = ['--instance', instance, account, '--', 'sh', '-c', 'echo $$; exec sleep 30'];
    const child = spawn(launcher, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    assert.equal(Number(chunk.toString()), child.pid);
    child.kill('SIGTERM');
    const [, signal] = (await once(child, 'exit')) as [null, string];
    assert.equal(signal, 'SIGTERM');
  });

  test('keeps the terminal', (t) => {
    if (!fs.existsSync('/usr/bin/script')) return t.skip('script(1) is not installed');
    const command = `${launcher} --instance ${instance} ${account} -- sh -c 'test -t 0 && test -t 1 && tty && echo ok >/dev/tty'`;
    const result = spawnSync('script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      input: '',
    });
    assert.match(result.stdout, /^\/dev\/pts\/\d+\s+ok/m);
    assert.equal(result.status, 0);
  });

  test('resets a negative oom_score_adj, and keeps a positive one', (t) => {
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

  test('writes 0 over a negative oom_score_adj, on a file in its place', (t) => {
    const stand = join(scratch, 'oom_score_adj');
    const script = 'mount --bind "$1" /proc/$$/oom_score_adj && shift && exec "$@"';
    const prefix = ['unshare', '--mount', 'sh', '-c', script, 'sh', stand];
    fs.writeFileSync(stand, '0\n');
    if (launch(account, ['true'], { prefix }).status !== 0)
      return t.skip('the kernel mounts nothing over files of processes');
    for (const [inherited, left] of [
      ['-1000', '0'],
      ['-1', '0'],
      ['0', '0'],
      ['300', '300'],
    ] as const) {
      fs.writeFileSync(stand, `${inherited}\n`);
      assert.equal(launch(account, ['true'], { prefix }).status, 0);
      assert.match(fs.readFileSync(stand, 'utf8'), new RegExp(`^${left}(?!\\d)`));
    }
  });
});

/** Defines the tests of what the command gets. */
function core(): void {
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
}

// --- Accounts ---------------------------------------------------------------------------------------

const fixture = join(scratch, 'etc');
const fixtureFiles = ['passwd', 'group', 'nsswitch.conf'];

/** Copies of this machine's files, which a launcher then sees in place of them. */
function makeFixture(): void {
  fs.rmSync(fixture, { recursive: true, force: true });
  fs.mkdirSync(fixture);
  for (const name of fixtureFiles) fs.copyFileSync(`/etc/${name}`, join(fixture, name));
  fs.writeFileSync(join(fixture, 'nsswitch.conf'), 'passwd: files\ngroup: files\n');
}

/** Returns args before the launcher that mount the fixture's files. */
function inFixture(): string[] {
  const mounts = fixtureFiles.map((name) => `mount --bind "$1/${name}" /etc/${name}`);
  const script = `${mounts.join(' && ')} && shift && exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', fixture];
}

const everything =
  'id -u; id -g; id -G; pwd; printf "%s\\n" "$HOME" "$SHELL"; echo "$USER $LOGNAME"';

function changedAccounts(): void {
  beforeEach(makeFixture);

  const run = (tenant = account) =>
    launch(tenant, ['sh', '-c', everything], { prefix: inFixture() });
  const lines = (result: Result) => {
    assert.equal(result.status, 0, result.stderr);
    return result.stdout.split('\n');
  };

  test('takes a new home, shell and primary group at once', () => {
    change('passwd', setField(5, '/usr'));
    change('passwd', setField(6, '/bin/other'));
    const other = execFileSync('getent', ['group', group], { encoding: 'utf8' }).split(':')[2];
    change('passwd', setField(3, String(other)));
    const seen = lines(run());
    assert.deepEqual(seen.slice(3, 6), ['/usr', '/usr', '/bin/other']);
    assert.equal(seen[1], other);
  });

  test('refuses an account that was removed', () => {
    const removed = editAccount(() => undefined);
    change('passwd', removed);
    assertRefused(run(), /there is no such account/);
    assert.equal(lines(run(String(uid)))[6], `${uid} ${uid}`);
  });

  test('refuses an account whose uid has changed to one that is not a tenant', () => {
    change('passwd', setField(2, String(uidWithoutAccount)));
    assertRefused(run(), new RegExp(`uid ${uidWithoutAccount} has no cgroup`));
    change('passwd', setField(2, '0'));
    assertRefused(run(), /uid "0" never is/);
  });

  test('takes a uid for the account that has it now', () => {
    change('passwd', setField(0, 'someoneelse'));
    assertRefused(run(), /there is no such account/);
    assert.equal(lines(run(String(uid)))[6], 'someoneelse someoneelse');
  });

  test('drops a supplementary group when the account has left it', () => {
    const groups = () => lines(run())[2]?.split(' ').length;
    assert.equal(groups(), 2);
    change('group', (text) => text.replace(`:${account}\n`, ':\n'));
    assert.equal(groups(), 1);
  });

  test('gives the account all of its groups, however many', () => {
    const many = Array.from({ length: 200 }, (_, index) => 2_000_000 + index);
    const added = many.map((each) => `g${each}:x:${each}:${account}\n`).join('');
    change('group', (text) => `${text}${added}`);
    const groups = lines(run())[2]?.split(' ').map(Number) ?? [];
    assert.deepEqual(
      groups.filter((each) => each >= 2_000_000),
      many,
    );
  });

  test('treats every field of passwd as text', () => {
    const marker = join(scratch, 'field-marker');
    const odd = `$(touch ${marker})\`touch ${marker}\`'; touch ${marker}; "\\n* \\`;
    change('passwd', setField(4, odd));
    change('passwd', setField(5, `/nonexistent/${odd}`));
    change('passwd', setField(6, `${odd}x`));
    assert.deepEqual(lines(run()).slice(3, 6), ['/', `/nonexistent/${odd}`, `${odd}x`]);
    assert.ok(!fs.existsSync(marker));
  });
}

function change(name: string, edit: (text: string) => string): void {
  const path = join(fixture, name);
  const before = fs.readFileSync(path, 'utf8');
  const text = edit(before);
  assert.notEqual(text, before);
  fs.writeFileSync(path, text);
}

/** Edits the fields of the account's line; \`undefined\` takes it out. */
const editAccount =
  (edit: (fields: string[]) => string[] | undefined) =>
  (text: string): string =>
    text
      .split('\n')
      .flatMap((line) =>
        line.startsWith(`${account}:`) ? (edit(line.split(':'))?.join(':') ?? []) : line,
      )
      .join('\n');

const setField = (index: number, value: string) =>
  editAccount((fields) => fields.with(index, value));

// --- Helpers ----------------------------------------------------------------------------------------

/** Returns the name of `place` below `root` in /proc/self/cgroup. */
function pathInHierarchy(root: string, place: string): string {
  const name = tree.join === 'tasks' ? `:${root.split('/')[4]}:` : '0::';
  return `${name}/${instance}/${place}`;
}

/**
 * Returns the environment of a command, without what bash always adds: `_` names the command, SHLVL is 0.
 */
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

/** Makes a root with a cgroup for the tenant that takes no process. */
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
