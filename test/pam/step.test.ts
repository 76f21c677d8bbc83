/**
 * The step on this machine's kernel, cgroup v1 or v2, with dash, busybox and bash as /bin/sh: on its own, and in a
 * real su session with PAM files of this test, in a mount namespace of its own.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { publishAccounts, withdrawAccounts } from '../../src/host/cgroups/launch-accounts.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { profilesOf, sessionLines } from '../../src/pam/core/profiles.ts';
import { knownEvents } from '../../src/placement/io/known-events.ts';
import { readText } from '../../packages/base/io/read.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';

const program = new URL('../../libexec/bulkhead-pam', import.meta.url).pathname;
const instance = `bulkhead-logintest-${process.pid}`;
const runtime = `/run/${instance}`;
const scratch = join(tmpdir(), instance);
/** An account that every Linux has, and that nobody logs in as. */
const user = 'nobody';
const uid = Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }));
const resellerUid = 7_100_000;

const cgroup2Magic = 0x63677270;
const isV2 =
  fs.existsSync('/sys/fs/cgroup') && fs.statfsSync('/sys/fs/cgroup').type === cgroup2Magic;
const roots = isV2
  ? [`/sys/fs/cgroup/${instance}`]
  : ['cpu', 'cpuacct', 'memory', 'blkio', 'pids', 'freezer']
      .map((controller) => `/sys/fs/cgroup/${controller}`)
      .filter((hierarchy) => fs.existsSync(`${hierarchy}/tasks`))
      .map((hierarchy) => `${hierarchy}/${instance}`);

const skip = process.getuid?.() !== 0 ? 'needs root' : roots.length === 0 ? 'needs cgroups' : false;

const shells = ['dash', 'busybox', 'bash'].filter((each) => fs.existsSync(`/bin/${each}`));

/** Returns the shell under the name in the first line of the step: bash behaves differently under it. */
function asSh(shell: string): string {
  const link = join(scratch, `${shell}-as`, 'sh');
  fs.mkdirSync(join(scratch, `${shell}-as`), { recursive: true });
  if (!fs.existsSync(link)) fs.symlinkSync(`/bin/${shell}`, link);
  return link;
}

const launch = [
  `join ${isV2 ? 'cgroup.procs' : 'tasks'}`,
  ...roots.map((each) => `root ${each}`),
  '',
].join('\n');

/** Returns our hierarchies that a process is in, and where. */
const placesIn = (text: string): readonly string[] =>
  text.split('\n').flatMap((line) => new RegExp(`/${instance}/(.*)$`).exec(line)?.[1] ?? []);

const distinct = (places: readonly string[]) => [...new Set(places)];

interface Outcome {
  readonly status: number | null;
  readonly places: readonly string[];
}

/**
 * Runs the step as PAM does: as a child of the process that it is to move. That is a Node, which has threads, so that
 * what is moved must be all of them.
 */
function place(shell: string, environment: Readonly<Record<string, string>> = {}): Outcome {
  const ran = spawnSync(process.execPath, ['-e', placing(shell, environment)], {
    encoding: 'utf8',
    timeout: patienceMilliseconds,
  });
  return outcomeOf(ran.stdout);
}

/** The same as if strict placement were in the kernel: with its pins in a file system that nobody else sees. */
function placeStrictly(shell: string): { readonly pid: number; readonly placed: Promise<Outcome> } {
  const pins =
    'mount -t tmpfs none /sys/fs/bpf && mkdir -p "/sys/fs/bpf/$0/placement-1" && exec "$@"';
  const words = ['-m', 'sh', '-c', pins, instance, process.execPath, '-e', placing(shell, {})];
  const child = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const placed = once(child, 'close').then(() => outcomeOf(printed));
  return { pid: child.pid ?? 0, placed };
}

function placing(shell: string, environment: Readonly<Record<string, string>>): string {
  const [file, words] = [asSh(shell), [program, instance]];
  const env = { PAM_TYPE: 'open_session', PAM_SERVICE: 'sshd', PAM_USER: user, ...environment };
  return `
    const { spawnSync } = require('node:child_process');
    const fs = require('node:fs');
    const { status, stdout, stderr } = spawnSync(${JSON.stringify(file)}, ${JSON.stringify(words)}, { env: ${JSON.stringify(env)}, encoding: 'utf8' });
    const cgroups = fs.readdirSync('/proc/self/task').map((id) => fs.readFileSync('/proc/self/task/' + id + '/cgroup', 'utf8'));
    console.log(JSON.stringify({ pid: process.pid, status, printed: stdout + stderr, cgroups }));`;
}

function outcomeOf(text: string): Outcome {
  const { pid, status, printed, cgroups } = JSON.parse(text) as {
    pid: number;
    status: number | null;
    printed: string;
    cgroups: string[];
  };
  assert.equal(printed, '');
  assert.ok(cgroups.length > 1);
  const places = cgroups.map(placesIn);
  for (const each of places) assert.deepEqual(each, places[0]);
  lastPid = pid;
  return { status, places: places[0] ?? [] };
}

/** The process that the step was last asked to move. */
let lastPid = 0;

const childrenOf = (pid: number | string): readonly string[] =>
  (readText(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').filter((each) => each !== '');

/** Whether the step that this process runs has looked more often than it does where nothing is strict. */
const waitsLong = (pid: number) =>
  childrenOf(pid)
    .flatMap(childrenOf)
    .some((each) => readText(`/proc/${each}/cmdline`) === 'sleep\x000.2\x00');

const runsSystemd = fs.existsSync('/run/systemd/system') ? 'systemd makes it' : false;

const frozenFile = (cgroup: string) =>
  isV2 ? ([`${cgroup}/cgroup.freeze`, '1', '0'] as const) : undefined;

const nowhere = (status: number): Outcome => ({ status, places: [] });

async function removeCgroup(path: string): Promise<void> {
  if (!fs.existsSync(path)) return;
  for (const entry of fs.readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) await removeCgroup(join(path, entry.name));
  await eventually(`${path} can be removed`, () => {
    try {
      fs.rmdirSync(path);
      return true;
    } catch {
      return false;
    }
  });
}

const makeTenant = (cgroup: string) => {
  for (const root of roots) fs.mkdirSync(`${root}/${cgroup}`, { recursive: true });
};

/** Returns the output of a command that sees these files as /etc/pam.d. */
const withPamFiles = (files: string, ...command: readonly string[]): string =>
  execFileSync(
    'unshare',
    ['-m', 'sh', '-c', 'mount --bind "$0" /etc/pam.d && exec "$@"', files, ...command],
    { encoding: 'utf8', timeout: patienceMilliseconds },
  );

describe('libexec/bulkhead-pam on this kernel', { skip }, () => {
  before(() => {
    fs.mkdirSync(scratch, { recursive: true });
    fs.mkdirSync(runtime);
    fs.writeFileSync(`${runtime}/launch`, launch);
    fs.writeFileSync(`${runtime}/logins`, `${user}\n`, { mode: 0o600 });
    makeTenant(`u${uid}`);
    assert.ok(publishAccounts(pathsOf(instance), new Set([uid])).ok);
  });
  after(async () => {
    withdrawAccounts(runtime);
    fs.rmSync(runtime, { recursive: true });
    fs.rmSync(scratch, { recursive: true });
    for (const root of roots) await removeCgroup(root);
  });

  const everywhere: Outcome = { status: 0, places: roots.map(() => `u${uid}`) };

  for (const shell of shells) {
    test(`${shell}: moves all threads of its parent in every hierarchy`, () => {
      assert.deepEqual(place(shell), everywhere);
    });

    test(`${shell}: asks getent when the record of /etc/passwd is missing`, async () => {
      fs.rmSync(`${runtime}/accounts/.passwd`);
      try {
        // It has a second, which may be too short on a slow machine.
        await eventually('getent has answered', () => place(shell).status === 0);
        assert.deepEqual(place(shell, { PAM_USER: 'no-such-account' }), nowhere(1));
      } finally {
        assert.ok(publishAccounts(pathsOf(instance), new Set([uid])).ok);
      }
    });

    test(`${shell}: does not move other accounts, or services that are not a login`, () => {
      const others = [
        { PAM_USER: 'root' },
        { PAM_USER: 'daemon' },
        { PAM_USER: '' },
        { PAM_USER: String(uid) },
        { PAM_USER: `../accounts/${user}` },
        { PAM_USER: `${user}\n` },
        { PAM_TYPE: 'close_session' },
        { PAM_TYPE: 'auth' },
        { PAM_SERVICE: 'systemd-user' },
      ];
      for (const each of others)
        assert.deepEqual(place(shell, each), nowhere(1), JSON.stringify(each));
    });

    test(`${shell}: ignores variables and functions of the environment`, () => {
      const marker = join(scratch, 'marker');
      fs.writeFileSync(join(scratch, 'rc'), `echo >${marker}\n`);
      const tricks = {
        IFS: `/${instance}`,
        ENV: join(scratch, 'rc'),
        BASH_ENV: join(scratch, 'rc'),
        PATH: scratch,
        PPID: '1',
        LC_ALL: 'C.UTF-8',
        PS4: `$(echo >${marker})`,
        'BASH_FUNC_read%%': `() { echo >${marker}; }`,
        'BASH_FUNC_echo%%': `() { builtin echo >${marker}; }`,
        'BASH_FUNC_[%%': `() { echo >${marker}; }`,
        uid: '0',
        status: '7',
        place: 'u0',
      };
      assert.deepEqual(place(shell, tricks), everywhere);
      assert.equal(fs.existsSync(marker), false);
    });

    test(`${shell}: moves nobody when the launch file is damaged or missing`, () => {
      const texts = [
        '',
        'join tasks\n',
        launch.replaceAll('/sys/fs/cgroup', scratch),
        launch.replace(/^root (.*)$/m, 'root $1/../..'),
        launch.replace('join', 'joins'),
        launch.replace(/join .*\n/, 'join notify_on_release\n'),
        `adopt\n${launch}`,
        '\0'.repeat(1000),
      ];
      try {
        for (const text of texts) {
          fs.writeFileSync(`${runtime}/launch`, text);
          assert.deepEqual(place(shell), nowhere(1), JSON.stringify(text));
        }
        fs.rmSync(`${runtime}/launch`);
        assert.deepEqual(place(shell), nowhere(1));
        execFileSync('mkfifo', [`${runtime}/launch`]);
        assert.deepEqual(place(shell), nowhere(1));
      } finally {
        fs.rmSync(`${runtime}/launch`, { force: true });
        fs.writeFileSync(`${runtime}/launch`, launch);
      }
    });
  }

  describe('with tenants as systemd slices', () => {
    // One hierarchy is enough: on v2, which systemd has, there is one.
    const [root = ''] = roots;
    const slices = `${root}/slices`;
    const slice = `${slices}/user-${uid}.slice`;
    const scope = `${slice}/${instance}-${uid}.scope`;
    const settings = `/etc/systemd/system/user-${uid}.slice.d`;
    const inScope = [scope.slice(`${root}/`.length)];
    before(() => {
      fs.mkdirSync(settings, { recursive: true });
      fs.writeFileSync(`${settings}/90-${instance}.conf`, '');
      fs.writeFileSync(`${runtime}/launch`, launch.replace('root', `slices ${slices}\nroot`));
    });
    after(async () => {
      fs.rmSync(`${settings}/90-${instance}.conf`);
      if (fs.readdirSync(settings).length === 0) fs.rmdirSync(settings);
      fs.writeFileSync(`${runtime}/launch`, launch);
      await removeCgroup(slices);
    });

    for (const shell of shells) {
      test(`${shell}: moves its parent into the scope of the slice`, async () => {
        fs.mkdirSync(scope, { recursive: true });
        assert.deepEqual(place(shell), { status: 0, places: inScope });
        await removeCgroup(slice);
      });

      test(`${shell}: gives up soon when systemd makes no scope`, { skip: runsSystemd }, () => {
        assert.deepEqual(place(shell), nowhere(1));
      });

      test(`${shell}: moves nobody when the launch file has a wrong slice directory`, () => {
        const text = fs.readFileSync(`${runtime}/launch`, 'utf8');
        try {
          for (const path of [scratch, `${slices}/..`, '']) {
            fs.writeFileSync(`${runtime}/launch`, text.replace(slices, path));
            assert.deepEqual(place(shell), nowhere(1), path);
          }
        } finally {
          fs.writeFileSync(`${runtime}/launch`, text);
        }
      });
    }

    test('waits for a late scope when placement is strict', async () => {
      const { pid, placed } = placeStrictly('dash');
      let ended = false;
      void placed.then(() => (ended = true));
      await eventually('the step waits on, or has given up', () => ended || waitsLong(pid));
      fs.mkdirSync(scope, { recursive: true });
      assert.deepEqual(await placed, { status: 0, places: inScope });
      await removeCgroup(slice);
    });

    test('does not enter a frozen slice', { skip: frozenFile(slice) === undefined }, async () => {
      fs.mkdirSync(scope, { recursive: true });
      const [file = '', on = '', off = ''] = frozenFile(slice) ?? [];
      fs.writeFileSync(file, on);
      try {
        assert.deepEqual(place('sh'), nowhere(1));
      } finally {
        fs.writeFileSync(file, off);
        await removeCgroup(slice);
      }
    });

    test('moves a tenant without a slice into the tree', () => {
      fs.renameSync(`${settings}/90-${instance}.conf`, `${settings}/90-${instance}.conf~`);
      try {
        assert.deepEqual(place('sh'), everywhere);
      } finally {
        fs.renameSync(`${settings}/90-${instance}.conf~`, `${settings}/90-${instance}.conf`);
      }
    });
  });

  test('moves a tenant below its reseller', async () => {
    for (const root of roots) await removeCgroup(`${root}/u${uid}`);
    const below = `r${resellerUid}/u${uid}`;
    makeTenant(below);
    try {
      assert.deepEqual(place('sh'), { status: 0, places: roots.map(() => below) });
    } finally {
      for (const root of roots) await removeCgroup(`${root}/r${resellerUid}`);
      makeTenant(`u${uid}`);
    }
  });

  test('joins the other hierarchies when one refuses', async () => {
    const [first] = roots;
    const last = roots.at(-1) ?? '';
    if (first === last) return;
    await removeCgroup(`${last}/u${uid}`);
    try {
      const { status, places } = place('sh');
      assert.deepEqual([status, places.length], [1, roots.length - 1]);
    } finally {
      makeTenant(`u${uid}`);
    }
  });

  test('does not enter a frozen cgroup, and placement events say that it is frozen', async () => {
    const [file, on, off] = isV2
      ? [`${roots[0]}/u${uid}/cgroup.freeze`, '1', '0']
      : [`/sys/fs/cgroup/freezer/${instance}/u${uid}/freezer.state`, 'FROZEN', 'THAWED'];
    if (!fs.existsSync(file)) return;
    const started = {
      nanoseconds: process.hrtime.bigint(),
      cgroup: 0n,
      pid: 0,
      from: 0,
      to: uid,
      tenant: uid,
      what: 'uid',
      passed: false,
      command: 'su',
      name: '',
      unit: '',
    } as const;
    const advice = (parent: number) =>
      knownEvents([{ ...started, parent }], pathsOf(instance))[0]?.advice ?? '';
    fs.writeFileSync(file, on);
    try {
      const { status, places } = place('sh');
      assert.deepEqual([status, places.length], [1, roots.length - 1]);
      assert.doesNotMatch(advice(lastPid), /frozen/);
      // Strict placement is told why.
      assert.equal((await placeStrictly('sh').placed).status, 1);
      assert.match(advice(lastPid), /^\/sys\/fs\/cgroup\/.* is frozen$/);
      assert.doesNotMatch(advice(lastPid + 256), /frozen/);
    } finally {
      fs.writeFileSync(file, off);
    }
    assert.deepEqual(place('sh'), everywhere);
  });

  test('kills the login program of a stopped tenant, and no other', () => {
    const state = `/var/lib/${instance}`;
    fs.mkdirSync(`${state}/stopped`, { recursive: true });
    const env = { PAM_TYPE: 'open_session', PAM_SERVICE: 'sshd', PAM_USER: user };
    try {
      for (const [shell, stopped, name] of [
        ...shells.map((each) => [each, uid, 'sshd'] as const),
        ['dash', uid + 1, 'sshd'] as const,
        // A server that opens sessions itself goes on.
        ['dash', uid, 'jupyterhub'] as const,
      ]) {
        fs.writeFileSync(`${state}/stopped/${stopped}`, '');
        const script = `require('node:fs').writeFileSync('/proc/self/comm', '${name}'); require('node:child_process').spawnSync(${JSON.stringify(asSh(shell))}, ${JSON.stringify([program, instance])}, { env: ${JSON.stringify(env)} }); console.log('goes on')`;
        const ran = spawnSync(process.execPath, ['-e', script], {
          encoding: 'utf8',
          timeout: patienceMilliseconds,
        });
        fs.rmSync(`${state}/stopped/${stopped}`);
        const expected = stopped === uid && name === 'sshd' ? ['SIGKILL', ''] : [null, 'goes on\n'];
        assert.deepEqual([ran.signal, ran.stdout], expected, shell);
      }
    } finally {
      fs.rmSync(state, { recursive: true, force: true });
    }
  });

  test('kills the login program when the tenant is stopped while the step runs', async () => {
    const state = `/var/lib/${instance}`;
    const gate = join(scratch, 'gate');
    execFileSync('mkfifo', [gate]);
    fs.mkdirSync(`${state}/stopped`, { recursive: true });
    // It waits for this where it reads what the kernel must not kill, after it has looked whether the tenant is stopped.
    const script =
      'printf sshd >/proc/self/comm; mount --bind "$0" /proc/$$/oom_score_adj; "$@"; echo goes on';
    try {
      const words = ['-m', 'sh', '-c', script, gate, asSh('dash'), program, instance];
      const env = { PAM_TYPE: 'open_session', PAM_SERVICE: 'sshd', PAM_USER: user };
      const session = spawn('unshare', words, {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { PATH: process.env['PATH'], ...env },
      });
      let printed = '';
      session.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
      const closed = once(session, 'close');
      const { O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants;
      const writing = await eventually('it waits', () => {
        try {
          return fs.openSync(gate, O_WRONLY | O_NONBLOCK);
        } catch {
          return undefined;
        }
      });
      const reading = fs.openSync(gate, O_RDONLY | O_NONBLOCK);
      fs.writeFileSync(`${state}/stopped/${uid}`, '');
      fs.writeSync(writing, '0\n');
      fs.closeSync(writing);
      await closed;
      fs.closeSync(reading);
      assert.deepEqual([session.signalCode, printed], ['SIGKILL', '']);
    } finally {
      fs.rmSync(state, { recursive: true, force: true });
      fs.rmSync(gate, { force: true });
    }
  });

  test('su runs it in a real session, for tenants only', () => {
    const step = { program, instance, logins: `${runtime}/logins` };
    const lines = profilesOf(step, false).flatMap(sessionLines);
    const files = join(scratch, 'pam.d');
    fs.mkdirSync(files);
    fs.writeFileSync(
      join(files, 'su'),
      [
        'auth sufficient pam_rootok.so',
        'account required pam_permit.so',
        'session required pam_permit.so',
        ...lines,
        '',
      ].join('\n'),
    );
    fs.writeFileSync(join(files, 'other'), 'session required pam_deny.so\n');
    const su = (account: string) =>
      withPamFiles(files, 'su', '-s', '/bin/cat', account, '/proc/self/cgroup');
    assert.deepEqual(placesIn(su(user)), everywhere.places);
    for (const account of ['root', 'daemon']) assert.deepEqual(placesIn(su(account)), []);
    fs.rmSync(`${runtime}/logins`);
    assert.deepEqual(distinct(placesIn(su(user))), []);
  });

  test('loginWatch() warns once when a module comes between the step and pam_systemd', () => {
    const files = join(scratch, 'watched');
    fs.mkdirSync(files);
    const step = { program, instance, logins: `${runtime}/logins` };
    const lines = profilesOf(step, true).flatMap(sessionLines);
    const systemd = 'session optional pam_systemd.so';
    const session = (...more: readonly string[]) => [...lines, ...more, systemd, ''].join('\n');
    fs.writeFileSync(join(files, 'sshd'), '@include common-session\n');
    fs.writeFileSync(join(files, 'common-session'), session());
    fs.writeFileSync(join(files, 'common-session.new'), session('session required pam_limits.so'));
    const script = `
      import { renameSync } from 'node:fs';
      import { pathsOf } from '${new URL('../../src/host/paths.ts', import.meta.url).pathname}';
      import { loginWatch } from '${new URL('../../src/pam/io/watch.ts', import.meta.url).pathname}';
      const lines = [];
      const part = loginWatch(pathsOf('${instance}'), { warn: (line) => lines.push(line) });
      part.afterTick();
      const before = lines.length;
      renameSync('/etc/pam.d/common-session.new', '/etc/pam.d/common-session');
      part.afterTick();
      part.afterTick();
      console.log(JSON.stringify({ before, lines }));`;
    const { before, lines: logged } = JSON.parse(
      withPamFiles(files, process.execPath, '--input-type=module', '-e', script),
    ) as { before: number; lines: string[] };
    const about = logged.filter((line) => line.includes('pam_limits.so'));
    assert.equal(before, 0);
    assert.equal(about.length, 1);
    assert.match(about[0] ?? '', /do not get pam_limits\.so.*sshd/);
  });
});
