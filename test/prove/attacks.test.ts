/** The attacks as a table, and their programs: each must compile everywhere, and report what it did. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, suite, test } from 'node:test';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import { perl, perlPath } from '../../src/prove/attacks/perl.ts';
import { wasRefused } from '../../src/prove/attacks/programs.ts';
import type { Attack, AttackDemand, Role, Stage, Start } from '../../src/prove/core/attack.ts';
import { parseSaid, type AttackEvidence } from '../../src/prove/core/outcome.ts';
import { attackerLimits } from '../../src/prove/core/scratch-policy.ts';
import { noCounters } from '../../src/limits/limits.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const scratch = suiteDirectory('prove-attacks', '/var/tmp');
const at = (name: string) => join(scratch, name);

const stage: Stage = {
  architecture: 'x64',
  cores: 2,
  uids: { attacker: 65_600, neighbour: 65_601, control: 65_602, server: 65_603 },
  homes: { attacker: at('attacker'), neighbour: at('neighbour'), control: at('control') },
  sites: { attacker: at('attacker-site'), neighbour: at('neighbour-site') },
  shared: at('shared'),
  hidden: at('hidden'),
  neighbour: process.pid,
  socket: 'bulkhead-no-such-socket',
  limits: attackerLimits,
  jailed: false,
  landlocked: false,
  cgroups: {
    attacker: [at('cgroup/u1')],
    neighbour: [at('cgroup/u2')],
    control: [at('cgroup/u3')],
    top: [at('cgroup')],
  },
  accountHomes: [],
  descriptorsMax: 100,
  availableBytes: 2 ** 33,
  freeBytes: 2 ** 33,
  node: [process.execPath, 'koffi'],
};

const noPerl = existsSync(perlPath) ? false : `there is no ${perlPath}`;

const byName = (name: string): Attack => {
  const found = attacks.find((each) => each.name === name);
  assert.ok(found, name);
  return found;
};

/** The part of the policy that demands each attack, and the role of its control; written by hand. */
const expected: Readonly<Record<string, readonly [AttackDemand, control?: Role]>> = {
  'busy-loop': ['cpu.limit'],
  'memory-hog': ['memory.limit', 'control'],
  'oom-score': ['memory.limit'],
  'fork-storm': ['processes.limit', 'control'],
  'thread-storm': ['processes.limit', 'control'],
  'fork-chains': ['limits'],
  'descriptor-flood': ['memory.limit'],
  'terminal-flood': ['jail', 'control'],
  'aio-flood': ['jail', 'control'],
  'disk-flood': ['disk.space'],
  'disk-flood-direct': ['disk.space'],
  'file-flood': ['disk.files'],
  'disk-bandwidth': ['io.write', 'control'],
  'disk-bandwidth-buffered': ['io.write', 'control'],
  'cgroup-move': ['limits'],
  'cgroup-limits': ['limits'],
  'cgroup-namespace': ['limits'],
  placement: ['placement', 'control'],
  'outside-jail': ['jail', 'control'],
  priority: ['separation'],
  home: ['separation', 'neighbour'],
  'account-homes': ['jail'],
  processes: ['jail', 'neighbour'],
  environment: ['separation', 'neighbour'],
  'memory-map': ['separation', 'neighbour'],
  ptrace: ['separation', 'control'],
  kill: ['separation', 'control'],
  'abstract-socket': ['jail', 'neighbour'],
  'symlink-server': ['symlinks', 'server'],
  'symlink-shared': ['symlinks', 'neighbour'],
  'planted-file': ['jail', 'neighbour'],
  'hard-link': ['symlinks', 'neighbour'],
  'leaked-descriptor': ['limits', 'control'],
  'leaked-cwd': ['limits', 'control'],
  tiocsti: ['jail'],
  setuid: ['jail'],
  'device-node': ['separation'],
  devices: ['separation'],
  mount: ['separation'],
  'mount-new': ['separation'],
  'user-namespace': ['jail'],
  clone3: ['jail'],
  'subordinate-uid': ['separation'],
  fuse: ['jail'],
  module: ['separation'],
  'module-autoload': ['jail'],
  'kernel-log': ['jail'],
  'kernel-calls': ['jail'],
  'calls-32bit': ['jail'],
};

suite('attacks', () => {
  test('name what demands each attack and which tenant its control is', () => {
    assert.deepEqual(
      Object.fromEntries(
        attacks.map(({ name, demandedBy, control }) => [
          name,
          control === undefined ? [demandedBy] : [demandedBy, control.by],
        ]),
      ),
      expected,
    );
  });

  test('have a one-line summary and a remedy, without full stop', () => {
    for (const { name, summary, remedy } of attacks) {
      for (const text of [summary, remedy]) assert.match(text, /^\S[^\n]*[^.\s]$/, name);
      assert.ok(summary.length <= 90, name);
    }
  });

  test('have a control when ENOENT counts as a refusal', () => {
    // ENOENT is also what a missing file gives: without a control it would count as a refusal.
    for (const { name, refusals = [], control } of attacks)
      if (refusals.includes('ENOENT')) assert.ok(control !== undefined, name);
  });
});

const startsOf = (attack: Attack, of: Stage): readonly Start[] => [
  attack.start(of),
  ...(attack.before === undefined ? [] : [attack.before.start(of)]),
  ...(attack.control === undefined ? [] : [attack.control.start(of)]),
];

suite('programs of attacks', { skip: noPerl }, () => {
  const compile = ([, ...args]: Start['program']) =>
    spawnSync(perlPath, ['-c', ...args], { encoding: 'utf8' });

  test('compile without warnings', () => {
    for (const attack of attacks)
      for (const { program } of startsOf(attack, stage)) {
        if (program[0] !== perlPath) continue;
        const { status, stderr } = compile(program);
        assert.equal(status, 0, `${attack.name}: ${stderr}`);
        assert.equal(stderr, '-e syntax OK\n', attack.name);
      }
  });

  test('have an obstacle on a processor whose system call numbers are unknown', () => {
    const unknown = { ...stage, architecture: 'riscv64', accountHomes: ['/home/a'] };
    const prelude = perl('', unknown)[2] ?? '';
    for (const attack of attacks) {
      const own = startsOf(attack, unknown).map(({ program }) =>
        (program[2] ?? '').slice(prelude.length),
      );
      const calls = own
        .join()
        .matchAll(/\$nr\{(\w+)\}|(?<=\n)namespace\(/g)
        .map(([, name]) => name ?? 'unshare')
        .filter((name) => !['io_uring_setup', 'fsopen', 'clone3'].includes(name))
        .toArray();
      if (calls.length === 0) continue;
      assert.notEqual(attack.obstacle?.(unknown), undefined, `${attack.name}: ${calls.join()}`);
    }
  });

  test('get paths as arguments, so that the name of a home is never code', () => {
    const hostile = `${scratch}/'; print "through"; '`;
    for (const attack of attacks)
      for (const { program } of startsOf(attack, {
        ...stage,
        homes: { attacker: hostile, neighbour: hostile, control: hostile },
        sites: { attacker: hostile, neighbour: hostile },
        shared: hostile,
        accountHomes: [hostile],
        socket: hostile,
      }))
        assert.ok(!(program[2] ?? '').includes(hostile), attack.name);
  });
});

suite('obstacle()', () => {
  const blocker = (name: string, more: Partial<Stage> = {}) =>
    byName(name).obstacle?.({ ...stage, ...more })?.reason;

  test('skips attacks that write when less than 1 GiB of disk is free', () => {
    for (const name of ['disk-flood', 'disk-flood-direct', 'file-flood', 'disk-bandwidth']) {
      assert.equal(blocker(name, { freeBytes: 2 ** 30 }), undefined, name);
      assert.equal(
        blocker(name, { freeBytes: 2 ** 30 - 1 }),
        'less than 1 GiB is free on the file system of the homes',
        name,
      );
    }
  });

  test('skips memory-hog when memory is below 512 MiB or unknown', () => {
    assert.equal(blocker('memory-hog', { availableBytes: 2 ** 29 }), undefined);
    assert.match(blocker('memory-hog', { availableBytes: 2 ** 29 - 1 }) ?? '', /less than 512 MiB/);
    assert.match(blocker('memory-hog', { availableBytes: undefined }) ?? '', /less than 512 MiB/);
  });

  test('never allows module-autoload to load a module into the running kernel', () => {
    assert.match(blocker('module-autoload') ?? '', /^it would load a module/);
  });

  test('names a missing home, 32-bit calls or a processor with unknown calls', () => {
    assert.equal(blocker('account-homes'), 'no tenant of the policy has a home');
    assert.equal(blocker('account-homes', { accountHomes: ['/home/a'] }), undefined);
    assert.match(blocker('calls-32bit', { architecture: 'arm64' }) ?? '', /only x86-64/);
    assert.equal(
      blocker('ptrace', { architecture: 'riscv64' }),
      'system calls of riscv64 are not known',
    );
  });
});

suite('judge()', () => {
  const evidence: AttackEvidence = {
    said: undefined,
    ended: 'exit status 0',
    seconds: 1,
    counters: noCounters,
    inside: 0,
    outside: [],
    survivors: 0,
  };
  const judged = (name: string, more: Partial<AttackEvidence>) =>
    byName(name).judge?.({ ...evidence, ...more }, stage);

  test('treats a failure of setpriv as a refusal only if the program reported nothing', () => {
    const ended =
      'exit status 126, setpriv: failed to execute /usr/bin/perl: Operation not permitted';
    assert.equal(wasRefused(undefined, ended), true);
    assert.equal(wasRefused(parseSaid('through x'), ended), false);
    assert.equal(wasRefused(undefined, ended.replace('not permitted', 'timed out')), false);
    assert.equal(judged('outside-jail', { ended })?.kind, 'blocked');
    assert.equal(
      judged('outside-jail', { said: parseSaid('through runs there') })?.kind,
      'through',
    );
    assert.equal(judged('outside-jail', { ended: 'exit status 127' })?.kind, 'impossible');
  });

  test('placement is blocked when either setresuid or setresgid is refused', () => {
    for (const call of ['setresuid', 'setresgid'])
      assert.equal(
        judged('placement', {
          ended: `exit status 1, setpriv: ${call} failed: Operation not permitted`,
        })?.detail,
        'the kernel did not let it become the tenant',
      );
    assert.equal(judged('placement', { ended: 'exit status 1' })?.kind, 'impossible');
  });

  test('memory-hog is blocked only when the kernel counted a hit or an OOM kill', () => {
    const counted = (more: Partial<typeof noCounters>) =>
      judged('memory-hog', { ended: 'SIGKILL', counters: { ...noCounters, ...more } })?.kind;
    assert.equal(counted({ memoryHits: 1 }), 'blocked');
    assert.equal(counted({ oomKills: 1 }), 'blocked');
    assert.equal(counted({ memoryBytes: 2 ** 26 }), 'impossible');
  });

  test('disk-bandwidth is blocked up to 1.5 times the limit, and not without a figure', () => {
    const rate = (text: string) =>
      judged('disk-bandwidth', { said: parseSaid(`measured ${text}`) })?.kind;
    assert.equal(rate(String(3 * 2 ** 20)), 'blocked');
    assert.equal(rate(String(3 * 2 ** 20 + 1)), 'through');
    assert.equal(rate('fast'), 'through');
  });

  test('fork-chains names the cgroup of a process outside', () => {
    assert.equal(
      judged('fork-chains', { outside: ['/user.slice'] })?.detail,
      'a process was in /user.slice',
    );
    assert.equal(judged('fork-chains', { survivors: 2 })?.detail, '2 could not be killed');
    assert.equal(judged('fork-chains', { inside: 39 })?.kind, 'impossible');
    assert.equal(judged('fork-chains', { inside: 40 })?.kind, 'blocked');
  });
});

/** A uid of nobody, so that permissions count although root runs the tests. */
const uid = 630_950;
const isRoot = process.geteuid?.() === 0;

/** Runs a program as nobody, where root can; else as whoever runs the tests. */
function said(start: Start, cwd = '/') {
  const become = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
  const [command = '', ...args] = [...(isRoot ? become : []), ...start.program];
  const { stdout } = spawnSync(command, args, { cwd, encoding: 'latin1' });
  return parseSaid(stdout);
}
const started = (name: string, more: Partial<Stage> = {}) =>
  byName(name).start({ ...stage, ...more });

suite('programs of attacks report', { skip: noPerl }, () => {
  beforeEach(() => {
    chmodSync(scratch, 0o755);
    for (const each of readdirSync(scratch)) rmSync(at(each), { recursive: true, force: true });
    for (const each of [
      'attacker',
      'neighbour',
      'control',
      'attacker-site',
      'neighbour-site',
      'shared',
      'hidden',
    ]) {
      mkdirSync(at(each));
      if (isRoot) chownSync(at(each), uid, uid);
    }
    writeFileSync(at('neighbour/secret'), 'the\u001b[2J \u00e9secret\nmore\n');
    writeFileSync(at('neighbour-site/config.php'), 'password\n', { mode: 0o644 });
  });

  test('home: the text that it read, without control characters', () => {
    assert.deepEqual(said(started('home')), {
      word: 'through',
      text: 'read the [2J  secret more ',
    });
  });

  test(
    'home: ENOENT for a missing file, EACCES for a closed directory',
    { skip: !isRoot && 'only root can close one' },
    () => {
      rmSync(at('neighbour/secret'));
      assert.deepEqual(said(started('home')), { word: 'refused', text: 'ENOENT open' });
      chownSync(at('neighbour'), 0, 0);
      chmodSync(at('neighbour'), 0o700);
      assert.deepEqual(said(started('home')), { word: 'refused', text: 'EACCES open' });
    },
  );

  test('home: no result for an empty file', () => {
    writeFileSync(at('neighbour/secret'), '');
    assert.equal(said(started('home'))?.word, 'cannot');
  });

  test('account-homes: how many homes it could list', () => {
    assert.deepEqual(
      said(started('account-homes', { accountHomes: [at('control'), at('none')] })),
      {
        word: 'through',
        text: `can list 1 of 2: ${at('control')}`,
      },
    );
    assert.deepEqual(said(started('account-homes', { accountHomes: [at('none')] })), {
      word: 'refused',
      text: 'ENOENT 1 homes',
    });
  });

  test("disk-flood and file-flood: exactly twice the limit, in the attacker's home", () => {
    const limits = { ...attackerLimits, space: 2 ** 20, files: 3 };
    assert.deepEqual(said(started('disk-flood', { limits })), { word: 'through', text: '2 MiB' });
    assert.deepEqual(readdirSync(at('attacker')), ['flood']);
    rmSync(at('attacker/flood'));
    assert.deepEqual(said(started('file-flood', { limits })), { word: 'through', text: '6 files' });
    assert.equal(readdirSync(at('attacker')).length, 6);
  });

  test('disk-bandwidth-buffered: a rate in bytes', () => {
    const measured = said(started('disk-bandwidth-buffered'));
    assert.equal(measured?.word, 'measured');
    assert.match(measured?.text ?? '', /^[1-9]\d*$/);
    rmSync(at('attacker'), { recursive: true });
    assert.equal(said(started('disk-bandwidth-buffered'))?.word, 'cannot');
  });

  test('memory-hog: how much memory it got', () => {
    const limits = { ...attackerLimits, memory: 2 ** 20 };
    assert.deepEqual(said(started('memory-hog', { limits })), { word: 'through', text: '2 MiB' });
  });

  test('cgroup-move: a file that it could write, or that it sees no cgroup', () => {
    assert.deepEqual(said(started('cgroup-move')), {
      word: 'refused',
      text: 'ENOENT no cgroup is seen',
    });
    mkdirSync(at('cgroup/u2'), { recursive: true });
    writeFileSync(at('cgroup/u2/cgroup.procs'), '');
    chmodSync(at('cgroup/u2/cgroup.procs'), 0o666);
    assert.deepEqual(said(started('cgroup-move')), {
      word: 'through',
      text: `moved to ${at('cgroup/u2')}`,
    });
  });

  test('hard-link: a link that it made and removed again', () => {
    const own = byName('hard-link').control?.start(stage);
    assert.ok(own);
    assert.equal(said(own)?.word, isRoot ? 'refused' : 'through', 'the page is of root here');
    if (isRoot) chownSync(at('neighbour-site/config.php'), uid, uid);
    assert.equal(said(own)?.word, 'through');
    assert.deepEqual(readdirSync(at('neighbour')), ['secret']);
  });

  test('symlink-server: the page behind a trap that can be laid twice', () => {
    const { before, start } = byName('symlink-server');
    assert.ok(before);
    for (let times = 0; times < 2; times++)
      assert.equal(said(before.start(stage))?.word, 'through');
    assert.deepEqual(said(start(stage)), { word: 'through', text: 'read password ' });
    rmSync(at('attacker-site'), { recursive: true });
    assert.equal(said(before.start(stage))?.word, 'cannot');
  });

  test('leaked-cwd: the file of the directory in which it was started', () => {
    writeFileSync(at('hidden/secret'), 'left open\n');
    assert.deepEqual(said(started('leaked-cwd'), at('hidden')), {
      word: 'through',
      text: 'read left open ',
    });
    assert.deepEqual(said(started('leaked-cwd'), at('shared')), {
      word: 'refused',
      text: 'ENOENT open ./secret',
    });
  });

  test('kill and ptrace: success of their controls on a process of their own', () => {
    for (const name of ['kill', 'ptrace']) {
      const start = byName(name).control?.start({ ...stage, architecture: process.arch });
      assert.ok(start);
      assert.equal(said(start)?.word, 'through', name);
    }
  });

  test('abstract-socket: ECONNREFUSED, not a permission error, when nobody listens', () => {
    assert.deepEqual(said(started('abstract-socket')), {
      word: 'refused',
      text: 'ECONNREFUSED connect',
    });
  });
});
