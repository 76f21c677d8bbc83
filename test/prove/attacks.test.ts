/** The attacks as a table: what demands them, what prevents them, and their verdicts. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import { wasRefused } from '../../src/prove/attacks/programs.ts';
import type { AttackDemand, Role, Stage } from '../../src/prove/core/attack.ts';
import { parseSaid, type AttackEvidence } from '../../src/prove/core/outcome.ts';
import { noCounters } from '../../src/limits/limits.ts';
import { byName, stage } from './attack-stage.ts';

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
  'neighbour-port': ['reach.tenants', 'control'],
  'kept-port': ['listen.ports', 'neighbour'],
  'direct-mail': ['reach.mail', 'control'],
  'metadata-service': ['reach.metadata', 'control'],
  'refused-address': ['reach.address', 'control'],
  'public-port': ['listen.public', 'control'],
  'connection-storm': ['network.connections', 'control'],
  'upload-flood': ['network.send', 'control'],
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
