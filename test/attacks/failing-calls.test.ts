/** Each system call of the launcher made to fail in turn: a command runs as the tenant in its cgroup, or not at all. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { reasonToSkip } from '../jail/stage.ts';
import { ExecStage, type Tenant } from './exec-stage.ts';
import { systemCalls } from './system-calls.ts';

suite('launcher with failing system calls', { skip: reasonToSkip() }, () => {
  let stage: ExecStage;
  let failing = '';

  before(() => {
    stage = new ExecStage('failing-calls', 620_310);
    failing = stage.compile('old-kernel');
  });
  after(() => stage[Symbol.dispose]());

  /** Returns the output of a command that started, or undefined if none did. */
  function startedWithout(call: number, tenant: Tenant): string | undefined {
    const { stdout } = stage.start(tenant, { prefix: [failing, `=${call}`] });
    return stdout.includes('Uid:') ? stdout : undefined;
  }

  for (const who of ['jailed', 'plain'] as const)
    test(`launcher starts nothing outside for a ${who} tenant, whichever call fails`, () => {
      let started = 0;
      for (const call of systemCalls) {
        const text = startedWithout(call, stage[who]);
        if (text === undefined) continue;
        started++;
        stage.assertInside(stage[who], text, `call ${call}:\n${text}`);
      }
      // Most calls are not needed at all.
      assert.ok(started > 200, `${started}`);
    });
});
