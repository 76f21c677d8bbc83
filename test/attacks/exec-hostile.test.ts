/**
 * The launcher with what a careless caller passes on: many descriptors, no room for any, tiny limits, large arguments,
 * and variables that a user chose.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import type { SpawnSyncReturns } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { reasonToSkip } from '../jail/stage.ts';
import { ExecStage, type Tenant } from './exec-stage.ts';

const descriptors = 10_000;
const limits =
  'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  );
/** Messages of the dynamic loader when it cannot start the launcher; it exits with 127. */
const loaderFailure =
  /error while loading shared libraries: |^cannot allocate TLS data structures /;

suite('launcher with a hostile caller', { skip: reasonToSkip() }, () => {
  let stage: ExecStage;
  let caller = '';
  let secret = '';

  before(() => {
    stage = new ExecStage('hostile', 620_360);
    caller = stage.compile('exec-caller');
    secret = `${stage.scratch}/secret`;
    writeFileSync(secret, 'of root\n', { mode: 0o600 });
  });
  after(() => stage[Symbol.dispose]());

  const start = (prefix: readonly string[], tenant: Tenant, ...options: readonly string[]) =>
    stage.start(tenant, { prefix, options });
  const descriptorsIn = (text: string): readonly string[] => text.match(/^fd .*$/gm) ?? [];
  /** The same without the numbers of sockets and pipes, of which each caller has its own. */
  const namesOf = (lines: readonly string[]) => lines.map((line) => line.replace(/:\[\d+\]$/, ''));

  for (const who of ['jailed', 'plain'] as const) {
    test(`10,000 descriptors of the caller are closed for a ${who} tenant`, () => {
      const many = [caller, 'descriptors', `${descriptors}`, secret];
      for (const options of [[], ['--entry'], ['--without-jail'], ['--for-jail']]) {
        const result = start(many, stage[who], ...options);
        assert.equal(result.status, 0, result.stderr);
        assert.deepEqual(descriptorsIn(result.stdout), [], options.join());
      }
      // Linux before 5.9 has no close_range().
      const oldKernel = [stage.compile('old-kernel'), '=436'];
      const result = start([...many, ...oldKernel], stage[who]);
      assert.ok(stage.assertInsideOrRefused(stage[who], result, 'without close_range'));
    });

    test(`--keep-fds passes 10,000 descriptors on for a ${who} tenant, and no way out`, () => {
      const many = [caller, 'descriptors', `${descriptors}`, secret];
      const given = descriptorsIn(stage.run(caller, ...many.slice(1), stage.probe).stdout);
      const { status, stdout, stderr } = start(many, stage[who], '--keep-fds', '--entry');
      assert.equal(status, 0, stderr);
      stage.assertInside(stage[who], stdout, who);
      assert.ok(given.length >= descriptors);
      // Directories, and what only stands for a file, lead out of a jail.
      const leadsOut = (line: string) => / directory | only /.test(line);
      assert.ok(given.filter(leadsOut).length >= descriptors / 2);
      const kept = who === 'plain' ? given : given.filter((line) => !leadsOut(line));
      assert.deepEqual(namesOf(descriptorsIn(stdout)), namesOf(kept));
    });

    test(`a ${who} tenant gets nothing in place of closed input and output`, () => {
      const closed = [caller, 'closed'];
      const given = descriptorsIn(stage.run(caller, 'closed', stage.probe).stdout);
      const { status, stdout } = start(closed, stage[who], '--keep-fds', '--entry');
      assert.equal(status, 0);
      stage.assertInside(stage[who], stdout, who);
      assert.deepEqual(descriptorsIn(stdout), given);
      const { status: refused, stderr } = start(closed, { uid: 1, hasJail: false }, '--entry');
      assert.deepEqual([refused, stderr], [1, '']);
    });

    test(`a ${who} tenant gets no key of the caller's session`, (t) => {
      const without = stage.run(caller, 'key', stage.probe);
      if (without.stderr.startsWith('keyctl: ')) return t.skip('this kernel has no keyrings');
      const key = /^key of the caller$/m;
      assert.match(without.stdout, key);
      for (const options of [[], ['--without-jail'], ['--for-jail'], ['--allow-setuid']]) {
        const { status, stdout, stderr } = start([caller, 'key'], stage[who], ...options);
        assert.equal(status, 0, stderr);
        assert.doesNotMatch(stdout, key);
      }
    });

    test(`a ${who} tenant starts inside or not at all, whatever the limits`, () => {
      let started = 0;
      for (const limit of limits)
        for (const value of [0, 1, 4096, 65_536, 1_048_576])
          for (const options of [[], ['--entry']])
            // The kernel kills every process that has no time at all.
            if ((limit !== 'cpu' || value > 0) && isRight(stage[who], limit, value, options))
              started++;
      assert.ok(started > limits.length, `${started}`);
    });

    test(`a ${who} tenant starts inside or not at all, with few descriptors and little memory`, () => {
      const few = Array.from({ length: 21 }, (_, index) => ['nofile', index] as const);
      const little = Array.from(
        { length: 90 },
        (_, index) => ['as', (index + 10) * 65_536] as const,
      );
      const started = { nofile: 0, as: 0 };
      for (const [limit, value] of [...few, ...little])
        for (const options of [[], ['--entry']])
          if (isRight(stage[who], limit, value, options)) started[limit]++;
      for (const [limit, count] of Object.entries(started)) {
        assert.ok(count > 0, limit);
        assert.ok(count < 2 * (limit === 'as' ? little : few).length, limit);
      }
    });
  }

  function isRight(tenant: Tenant, limit: string, value: number, options: readonly string[]) {
    const label = `${limit} ${value} ${options.join()}`;
    const result = start(['prlimit', `--${limit}=${value}`], tenant, ...options);
    if (isStillborn(result) || result.stderr.startsWith('prlimit: ')) return false;
    assert.doesNotMatch(result.stderr, /is not a tenant/, label);
    return stage.assertInsideOrRefused(tenant, result, label);
  }

  /** Whether the kernel killed the launcher because it had no stack, or the loader could not start it. */
  function isStillborn({ status, signal, stdout, stderr }: SpawnSyncReturns<string>): boolean {
    if (stdout !== '') return false;
    if (signal === 'SIGSEGV' || signal === 'SIGKILL') return true;
    return status === 127 && loaderFailure.test(stderr);
  }
});
