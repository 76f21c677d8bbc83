/**
 * The placing part of the PAM module on this machine's kernel, cgroup v1 or v2: in sessions that a libpam program opens
 * as sshd, su and cron do, with PAM files of this test.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compilePam } from '../../scripts/entry.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { profilesOf, sessionLines } from '../../src/pam/core/profiles.ts';
import { knownEvents } from '../../src/placement/io/known-events.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { compileSessionOpener } from '../jail/session-opener.ts';

const ready = await ensurePrerequisites('pam', (line) => console.log(`# ${line}`));
const instance = `bulkhead-logintest-${process.pid}`;
const runtime = `/run/${instance}`;
const scratch = join(tmpdir(), instance);
const configuration = join(scratch, 'pam');
const opener = join(scratch, 'session');
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

const obstacle = () => {
  if (process.getuid?.() !== 0) return 'needs root';
  if (roots.length === 0) return 'needs cgroups';
  return ready.ok ? false : ready.reason;
};
const skip = obstacle();

const launch = [
  'launch 1',
  `join ${isV2 ? 'cgroup.procs' : 'tasks'}`,
  ...roots.map((each) => `root ${each}`),
  'end',
  '',
].join('\n');

/** Returns our hierarchies that a process is in, and where. */
const placesIn = (listed: string): readonly string[] =>
  listed.split('\n').flatMap((line) => new RegExp(`/${instance}/(.*)$`).exec(line)?.[1] ?? []);

interface Outcome {
  readonly opened: boolean;
  readonly places: readonly string[];
}

interface Session extends Outcome {
  readonly log: string;
  /** The process that opened the session. */
  readonly pid: number;
}

/** A line that is jumped over, as pam_systemd's is. */
const standIn = 'session optional pam_permit.so';

/** PAM services of this test: the lines of one profile, and pam_permit. */
const writeService = (name: string, ...lines: readonly string[]) =>
  fs.writeFileSync(
    join(configuration, name),
    ['session required pam_permit.so', ...lines, ''].join('\n'),
  );

/**
 * Opens a session, in a process that has a second thread, and returns where both are meanwhile. `around` is the command
 * that starts it all.
 */
async function open(
  account = user,
  service = 'login',
  around: readonly string[] = [],
): Promise<Session> {
  return outcomeOf(start(account, service, around));
}

function start(account: string, service: string, around: readonly string[]): ChildProcess {
  const look = `for each in /proc/$PPID/task/*; do echo "task $PPID"; /bin/cat $each/cgroup; done`;
  const words = ['-t', configuration, service, account, '/bin/sh', '-c', look];
  const [program = '', ...args] = [...around, opener, ...words];
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: patienceMilliseconds });
}

async function outcomeOf(child: ChildProcess): Promise<Session> {
  const { stdout, stderr } = child;
  assert.ok(stdout && stderr);
  const closed = once(child, 'close');
  const [printed, log] = await Promise.all([text(stdout), text(stderr), closed]);
  assert.match(log, /^closed: 0$/m);
  const [before, ...tasks] = printed.split(/^task /m);
  assert.equal(before, '');
  const opened = log.includes('opened: yes');
  assert.equal(tasks.length, opened ? 2 : 0, log);
  const places = tasks.map(placesIn);
  for (const each of places) assert.deepEqual(each, places[0]);
  return { opened, places: places[0] ?? [], log, pid: child.pid ?? 0 };
}

/** The same as if strict placement were in the kernel: with its pins in a file system that nobody else sees. */
const strictly = [
  'unshare',
  '-m',
  'sh',
  '-c',
  'mount -t tmpfs none /sys/fs/bpf && mkdir -p "/sys/fs/bpf/$0/placement-1" && exec "$@"',
  instance,
];

const runsSystemd = fs.existsSync('/run/systemd/system') ? 'systemd makes it' : false;

const frozenFile = (cgroup: string) =>
  isV2 ? ([`${cgroup}/cgroup.freeze`, '1', '0'] as const) : undefined;

const elsewhere: Outcome = { opened: true, places: [] };
const refused: Outcome = { opened: false, places: [] };
const everywhere: Outcome = { opened: true, places: roots.map(() => `u${uid}`) };

function assertOutcome({ opened, places, log }: Session, expected: Outcome, about = ''): void {
  assert.deepEqual({ opened, places }, expected, `${about}\n${log}`);
}

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

/** Runs a body while the tenant, or somebody else, is stopped. */
async function whileStopped(whom: number, body: () => Promise<void>): Promise<void> {
  const state = `/var/lib/${instance}`;
  fs.mkdirSync(`${state}/stopped`, { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${state}/stopped/${whom}`, '');
  try {
    await body();
  } finally {
    fs.rmSync(state, { recursive: true, force: true });
  }
}

/** Returns the output of a command that sees these files as /etc/pam.d. */
const withPamFiles = (files: string, ...command: readonly string[]): string =>
  execFileSync(
    'unshare',
    ['-m', 'sh', '-c', 'mount --bind "$0" /etc/pam.d && exec "$@"', files, ...command],
    { encoding: 'utf8', timeout: patienceMilliseconds },
  );

describe('pam_bulkhead.so place', { skip }, () => {
  let module = '';
  const linesOf = (jump: boolean) =>
    profilesOf({ module, instance }, jump).map((each) => sessionLines(each).join('\n'));

  before(() => {
    fs.mkdirSync(configuration, { recursive: true });
    fs.mkdirSync(runtime);
    fs.writeFileSync(`${runtime}/launch`, launch);
    makeTenant(`u${uid}`);
    module = compilePam();
    compileSessionOpener(scratch);
    for (const name of ['login', 'systemd-user', 'su', 'cron', 'other'])
      writeService(name, ...linesOf(false));
  });
  after(async () => {
    fs.rmSync(runtime, { recursive: true });
    fs.rmSync(scratch, { recursive: true });
    for (const root of roots) await removeCgroup(root);
  });

  test('moves all threads of the process in every hierarchy', async () => {
    assertOutcome(await open(), everywhere);
  });

  test('does not move other accounts, or the user manager', async () => {
    for (const account of ['root', 'daemon', 'games'])
      assertOutcome(await open(account), elsewhere, account);
    assertOutcome(await open(user, 'systemd-user'), elsewhere);
  });

  test('needs no variable of the environment, and heeds none', async () => {
    const variables = ['PAM_USER=root', 'PAM_TYPE=close_session', 'PATH=/nowhere', 'IFS=/'];
    assertOutcome(await open(user, 'login', ['/usr/bin/env', '-i', ...variables]), everywhere);
  });

  test('moves nobody, and says why, when the launch file is damaged or another version', async () => {
    const damaged = [
      '',
      'launch 1\njoin tasks\nend\n',
      launch.replaceAll('/sys/fs/cgroup', scratch),
      launch.replace(/^root (.*)$/m, 'root $1/../..'),
      launch.replace('join', 'joins'),
      launch.replace(/join .*\n/, 'join notify_on_release\n'),
      launch.replace('launch 1', 'launch 2'),
      launch.replace('end\n', ''),
      `adopt\n${launch}`,
      '\0'.repeat(1000),
    ];
    try {
      for (const each of damaged) {
        fs.writeFileSync(`${runtime}/launch`, each);
        const session = await open();
        assertOutcome(session, elsewhere, JSON.stringify(each));
        assert.match(session.log, /nobody is not placed: Cannot use .*; run bulkhead apply/);
      }
      fs.rmSync(`${runtime}/launch`);
      execFileSync('mkfifo', [`${runtime}/launch`]);
      assertOutcome(await open(), elsewhere);
      fs.rmSync(`${runtime}/launch`);
      const without = await open();
      assertOutcome(without, elsewhere);
      assert.doesNotMatch(without.log, /not placed/);
    } finally {
      fs.rmSync(`${runtime}/launch`, { force: true });
      fs.writeFileSync(`${runtime}/launch`, launch);
    }
  });

  test('leaves a line with an unknown word to the next line, and says so', async () => {
    const session = (...words: readonly string[]) => {
      writeService('odd', `session optional ${module} ${words.join(' ')}`);
      return open(user, 'odd');
    };
    const odd = [['place', 'quiet'], ['place', 'jail'], [], ['place', 'instance=../x']];
    for (const words of odd) {
      const { places, log } = await session(...words);
      assert.deepEqual(places, [], words.join(' '));
      assert.match(log, /run bulkhead pam enable/);
    }
    assertOutcome(await session('place', `instance=${instance}`), everywhere);
  });

  test('jumps over pam_systemd only with a session that it has placed', async () => {
    const mark = join(scratch, 'mark');
    const [jumping = '', plain = ''] = linesOf(true);
    const touch = `session optional pam_exec.so quiet type=open_session /usr/bin/touch ${mark}`;
    writeService('jumping', jumping, plain, touch);
    const marked = async (account: string) => {
      fs.rmSync(mark, { force: true });
      const session = await open(account, 'jumping');
      return { ...session, touched: fs.existsSync(mark) };
    };
    const tenant = await marked(user);
    assertOutcome(tenant, everywhere);
    assert.equal(tenant.touched, false);
    for (const account of ['root', 'daemon']) assert.equal((await marked(account)).touched, true);
    // Without pam_systemd, the jump ends at the line that is there for it.
    const [, , landing = ''] = linesOf(true);
    writeService('without', jumping, plain, landing);
    for (const account of [user, 'root', 'daemon'])
      assert.equal((await open(account, 'without')).opened, true, account);
    writeService('twice', plain, plain);
    assertOutcome(await open(user, 'twice'), everywhere);
  });

  describe('with tenants as systemd slices', () => {
    // One hierarchy is enough: on v2, which systemd has, there is one.
    const [root = ''] = roots;
    const slices = `${root}/slices`;
    const slice = `${slices}/user-${uid}.slice`;
    const scope = `${slice}/${instance}-${uid}.scope`;
    const settings = `/etc/systemd/system/user-${uid}.slice.d`;
    const inScope = { opened: true, places: [scope.slice(`${root}/`.length)] };
    before(() => {
      fs.mkdirSync(settings, { recursive: true });
      fs.writeFileSync(`${settings}/90-${instance}.conf`, '');
      const text = launch.replace('root', `slices ${slices}\nroot`);
      fs.writeFileSync(`${runtime}/launch`, text);
    });
    after(async () => {
      fs.rmSync(`${settings}/90-${instance}.conf`);
      if (fs.readdirSync(settings).length === 0) fs.rmdirSync(settings);
      fs.writeFileSync(`${runtime}/launch`, launch);
      await removeCgroup(slices);
    });

    test('moves the process into the scope of the slice', async () => {
      fs.mkdirSync(scope, { recursive: true });
      assertOutcome(await open(user, 'cron'), inScope);
      await removeCgroup(slice);
    });

    test('leaves sessions to pam_systemd where it follows, but for those within others', async () => {
      fs.mkdirSync(scope, { recursive: true });
      for (const name of ['sshd', 'su']) writeService(name, ...linesOf(true), standIn);
      assertOutcome(await open(user, 'sshd'), elsewhere);
      assertOutcome(await open(user, 'su'), inScope);
      await removeCgroup(slice);
    });

    test('gives up soon when systemd makes no scope', { skip: runsSystemd }, async () => {
      const session = await open(user, 'cron');
      assertOutcome(session, elsewhere);
      assert.match(session.log, /not placed: systemd made no scope in .* within 1 s/);
    });

    test('moves nobody when the launch file has a wrong slice directory', async () => {
      const text = fs.readFileSync(`${runtime}/launch`, 'utf8');
      try {
        for (const path of [scratch, `${slices}/..`, '']) {
          fs.writeFileSync(`${runtime}/launch`, text.replace(slices, path));
          assertOutcome(await open(), elsewhere, path);
        }
      } finally {
        fs.writeFileSync(`${runtime}/launch`, text);
      }
    });

    test('waits for a late scope when placement is strict', { skip: runsSystemd }, async () => {
      const outcome = outcomeOf(start(user, 'cron', strictly));
      // Longer than it would wait if placement were not strict.
      await setTimeout(1500);
      fs.mkdirSync(scope, { recursive: true });
      assertOutcome(await outcome, inScope);
      await removeCgroup(slice);
    });

    test(
      'opens no session when the tenant is stopped meanwhile',
      { skip: runsSystemd },
      async () => {
        const outcome = outcomeOf(start(user, 'cron', strictly));
        await setTimeout(500);
        await whileStopped(uid, async () => {
          fs.mkdirSync(scope, { recursive: true });
          assertOutcome(await outcome, refused);
        });
        await removeCgroup(slice);
      },
    );

    test('does not enter a frozen slice', { skip: frozenFile(slice) === undefined }, async () => {
      fs.mkdirSync(scope, { recursive: true });
      const [file = '', on = '', off = ''] = frozenFile(slice) ?? [];
      fs.writeFileSync(file, on);
      try {
        assertOutcome(await open(user, 'cron'), elsewhere);
      } finally {
        fs.writeFileSync(file, off);
        await removeCgroup(slice);
      }
    });

    test('moves a tenant without a slice into the tree', async () => {
      fs.renameSync(`${settings}/90-${instance}.conf`, `${settings}/90-${instance}.conf~`);
      try {
        assertOutcome(await open(), everywhere);
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
      assertOutcome(await open(), { opened: true, places: roots.map(() => below) });
    } finally {
      for (const root of roots) await removeCgroup(`${root}/r${resellerUid}`);
      makeTenant(`u${uid}`);
    }
  });

  test('moves a tenant with sites into "main"', async () => {
    makeTenant(`u${uid}/main`);
    try {
      assertOutcome(await open(), { opened: true, places: roots.map(() => `u${uid}/main`) });
    } finally {
      for (const root of roots) await removeCgroup(`${root}/u${uid}/main`);
    }
  });

  test('joins the other hierarchies when one refuses', async () => {
    const [first] = roots;
    const last = roots.at(-1) ?? '';
    if (first === last) return;
    await removeCgroup(`${last}/u${uid}`);
    try {
      const { places, log } = await open();
      assert.equal(places.length, roots.length - 1);
      assert.match(log, /nobody is not placed: .* cannot be joined/);
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
      const session = await open();
      assert.equal(session.places.length, roots.length - 1);
      assert.match(session.log, /nobody is not placed: .* is frozen/);
      assert.doesNotMatch(advice(session.pid), /frozen/);
      // Strict placement is told why.
      const strict = await open(user, 'login', strictly);
      assert.match(advice(strict.pid), /^\/sys\/fs\/cgroup\/.* is frozen$/);
      assert.doesNotMatch(advice(strict.pid + 256), /frozen/);
    } finally {
      fs.writeFileSync(file, off);
    }
    assertOutcome(await open(), everywhere);
  });

  test('acts by the effective uid, while su still has the real one of its caller', async () => {
    const around = ['setpriv', '--ruid', `${uid + 2}`];
    fs.chmodSync(runtime, 0o700);
    await whileStopped(uid + 1, async () =>
      assertOutcome(await open(user, 'login', around), everywhere),
    );
    await whileStopped(uid, async () => assertOutcome(await open(user, 'login', around), refused));
    fs.chmodSync(runtime, 0o755);
  });

  test('ends the connection of a stopped tenant, which sshd would keep', async () => {
    const sshd = join(scratch, 'sshd-session');
    fs.copyFileSync(opener, sshd);
    fs.chmodSync(sshd, 0o755);
    await whileStopped(uid, async () => {
      const words = [configuration, 'login', user, '/bin/true'];
      const child = spawn(sshd, words, { stdio: 'ignore', timeout: patienceMilliseconds });
      const [, signal] = (await once(child, 'close')) as [number | null, string | null];
      assert.equal(signal, 'SIGKILL');
    });
  });

  test('opens no session for a stopped tenant, and for others as before', async () => {
    await whileStopped(uid, async () => {
      const session = await open();
      assertOutcome(session, refused);
      assert.match(session.log, /no session for nobody, who is stopped; bulkhead start nobody/);
      assert.match(session.log, /to the user: No session can be opened .*: it is stopped/);
      for (const account of ['root', 'daemon']) assertOutcome(await open(account), elsewhere);
      // Since the machine was started nobody has applied a policy.
      fs.renameSync(`${runtime}/launch`, `${runtime}/launch.aside`);
      assertOutcome(await open(), refused);
      fs.renameSync(`${runtime}/launch.aside`, `${runtime}/launch`);
    });
    await whileStopped(uid + 1, async () => assertOutcome(await open(), everywhere));
  });

  test('su runs it in a real session, for tenants only', () => {
    const files = join(scratch, 'pam.d');
    fs.mkdirSync(files);
    const common = ['auth sufficient pam_rootok.so', 'account required pam_permit.so'];
    const lines = [...common, 'session required pam_permit.so', ...linesOf(false), ''];
    fs.writeFileSync(join(files, 'su'), lines.join('\n'));
    fs.writeFileSync(join(files, 'other'), 'session required pam_deny.so\n');
    const su = (account: string) =>
      withPamFiles(files, 'su', '-s', '/bin/cat', account, '/proc/self/cgroup');
    assert.deepEqual(placesIn(su(user)), everywhere.places);
    for (const account of ['root', 'daemon']) assert.deepEqual(placesIn(su(account)), []);
  });

  test('loginWatch() warns once when a module comes between the step and pam_systemd', () => {
    const files = join(scratch, 'watched');
    fs.mkdirSync(files);
    const [jumping = '', plain = '', landing = ''] = linesOf(true);
    const systemd = 'session optional pam_systemd.so';
    const session = (...more: readonly string[]) =>
      [jumping, plain, ...more, systemd, landing, ''].join('\n');
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
