/**
 * Signals to the launcher at each of its system calls: it ends, or starts the command inside. Nothing is left of it: no
 * process, for which signal-at waits, no entry in use, no lock, no socket in the jail.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { after, before, suite, test } from 'node:test';
import { reasonToSkip } from '../jail/stage.ts';
import { ExecStage, type Tenant } from './exec-stage.ts';

/** signal-at.c exits with it when there are no more steps. */
const noSuchStep = 99;
const signals = ['SIGTERM', 'SIGKILL', 'SIGSTOP', 'SIGALRM', 'SIGHUP'] as const;

suite('launcher that gets signals', { skip: reasonToSkip() }, () => {
  let stage: ExecStage;
  let signalAt = '';

  before(() => {
    stage = new ExecStage('signals', 620_340);
    signalAt = stage.compile('signal-at');
  });
  after(() => stage[Symbol.dispose]());

  /** Starts the launcher with every part that leaves something behind: an entry, and the relay of notifications. */
  function startAt(tenant: Tenant, step: number, signal: (typeof signals)[number]) {
    const env = { NOTIFY_SOCKET: `${stage.scratch}/nobody-listens` };
    const options = ['--entry', '--keep-env', 'NOTIFY_SOCKET'];
    const prefix = [signalAt, `${step}`, `${constants.signals[signal]}`];
    return stage.start(tenant, { prefix, options, env });
  }

  /** Returns whether there was such a step. */
  function checkStep(tenant: Tenant, step: number, signal: (typeof signals)[number]): boolean {
    const { status, stdout, stderr } = startAt(tenant, step, signal);
    const label = `${signal} at step ${step}: ${status} ${stderr}\n${stdout}`;
    if (status === noSuchStep) return false;
    const ended = 128 + constants.signals[signal];
    // An alarm only wakes a launcher that waits for the lock.
    const allowed = { SIGSTOP: [0], SIGALRM: [0, ended] }[signal as string] ?? [ended];
    assert.ok(allowed.includes(status ?? -1), label);
    assert.equal(stderr, '', label);
    assert.equal(stdout !== '', status === 0, label);
    if (status === 0) stage.assertInside(tenant, stdout, label);
    return true;
  }

  function assertNothingLeft(tenant: Tenant, label: string): void {
    const result = stage.start(tenant, { options: ['--entry'] });
    assert.ok(stage.assertInsideOrRefused(tenant, result, label), `${label}: ${result.stderr}`);
  }

  for (const who of ['jailed', 'plain'] as const)
    for (const signal of signals)
      test(`launcher of a ${who} tenant leaves nothing when it gets ${signal}`, () => {
        const tenant = stage[who];
        let step = 0;
        for (; checkStep(tenant, step, signal); step++)
          if (signal === 'SIGKILL') assertNothingLeft(tenant, `after ${signal} at step ${step}`);
        assertNothingLeft(tenant, `after each ${signal}`);
        assert.ok(step > 100, `${step}`);
        if (tenant.hasJail) assert.deepEqual(socketsInside(), []);
      });

  function socketsInside(): readonly string[] {
    const base = `/run/${stage.instance}/jail`;
    const list = ['ls', '-A', `${base}/in/tenant/${stage.jailed.uid}`];
    const { status, stdout, stderr } = stage.run('nsenter', `--mount=${base}/vault`, '--', ...list);
    assert.equal(status, 0, stderr);
    return stdout.split('\n').filter((name) => name.startsWith('notify-'));
  }
});
