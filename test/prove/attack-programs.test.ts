/** The programs of attacks: each must compile everywhere, and report what it did. */
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
import { beforeEach, suite, test } from 'node:test';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import { perl, perlPath } from '../../src/prove/attacks/perl.ts';
import type { Attack, Stage, Start } from '../../src/prove/core/attack.ts';
import { parseSaid } from '../../src/prove/core/outcome.ts';
import { attackerLimits } from '../../src/prove/core/scratch-policy.ts';
import { at, byName, scratch, stage } from './attack-stage.ts';

const noPerl = existsSync(perlPath) ? false : `there is no ${perlPath}`;

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
