/**
 * An account that got the uid of one that was removed asks the agent for what is kept under that uid:
 * incidents, command lines with secrets in them, faults and usage of the one before. It must see none of it,
 * and root must see whose it was.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import type { IncidentResponse, IncidentsResponse } from '../../src/agent/api/api.ts';
import type { SeriesResponse, UsageResponse } from '../../src/agent/api/usage-api.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { accountsObstacle, addAccount, removeAccount } from './accounts-stage.ts';
import { hostHere } from '../conformance/host-here.ts';
import { launcher } from '../../testing/launcher.ts';

const here = hostHere('bulkhead-uid-test');
const uid = 64_241;
const [first, second, third] = ['bhuidold', 'bhuidnew', 'bhuidlast'] as const;
const secret = 'SECRET-OF-THE-FIRST';

const skip = 'skip' in here ? here.skip : accountsObstacle();

describe('a uid that a second account gets', { skip }, () => {
  let agent: RunningAgent;
  const shells: ChildProcess[] = [];

  before(() => {
    if ('skip' in here) return;
    for (const name of [first, second, third]) removeAccount(name);
    agent = new RunningAgent(here.host);
  });

  after(async () => {
    for (const each of shells) each.kill('SIGKILL');
    await agent[Symbol.asyncDispose]();
    for (const name of [first, second, third]) removeAccount(name);
  });

  const policy = (name: string) =>
    agent.writePolicy(
      `<agent interval="1s"/><tenant user="${name}"><processes limit="6"/></tenant>`,
    );
  const list = async (asking: number) =>
    (await agent.ask('/v1/incidents', asking)).json<IncidentsResponse>().incidents ?? [];
  const incident = async (id: number, asking: number) => agent.ask(`/v1/incidents/${id}`, asking);

  /** Runs a program with a secret in its arguments until its limit was hit and evidence exists. */
  const commitOffence = async (words: string): Promise<number> => {
    runInside(`sleep 600 & wait; : # ${words}`);
    // The storm would leave it no process to start.
    await agent.until('both of its processes run', () => {
      const driver = agent.host.probe();
      return driver.ok && driver.value.processes(`u${uid}`).length >= 2;
    });
    let found = 0;
    await agent.until('an incident has evidence', async () => {
      // The storm ends when one of its forks is refused. Its children end soon, so that the next one can
      // start.
      const storm = runInside('while :; do sleep 1 & done');
      await once(storm, 'exit');
      for (const { id } of await list(0)) {
        if ((await incident(id, 0)).text.includes(words)) found = id;
      }
      return found > 0;
    });
    return found;
  };

  const runInside = (script: string): ChildProcess => {
    const args = ['--instance', agent.host.paths.instance, String(uid), '--', 'sh', '-c', script];
    const child = spawn(launcher, args, { stdio: 'ignore' });
    shells.push(child);
    return child;
  };

  const endAll = async () => {
    const pids = agent.host.probe();
    assert.ok(pids.ok);
    for (const pid of pids.value.processes(`u${uid}`)) process.kill(pid, 'SIGKILL');
    for (const each of shells.splice(0)) {
      if (each.exitCode === null && each.signalCode === null) await once(each, 'exit');
    }
  };

  const mustSeeNothing = async (id: number) => {
    assert.deepEqual(await list(uid), []);
    assert.equal((await incident(id, uid)).status, 404);
    for (const path of ['/v1/usage', '/v1/advise', `/v1/series?tenant=u${uid}`, '/v1/top?all=1']) {
      assert.ok(!(await agent.ask(path, uid)).text.includes(first), path);
    }
    const usage = (await agent.ask('/v1/usage', uid)).json<UsageResponse>();
    assert.deepEqual(
      (usage.rows ?? []).flatMap((each) => Object.keys(each.faults)),
      [],
    );
    const series = await agent.ask(`/v1/series?tenant=u${uid}&metric=threads&points=60`, uid);
    if (series.status === 200) {
      const { points } = series.json<SeriesResponse>();
      assert.deepEqual(
        points.filter((each) => (each ?? 0) > 1),
        [],
      );
    }
  };

  const mustBeKnownToRoot = async (id: number, name: string) => {
    const answer = (await incident(id, 0)).json<IncidentResponse>();
    assert.equal(answer.who.name, name);
    assert.ok((await list(0)).some((each) => each.id === id && each.who.name === name));
  };

  let offence = 0;
  test('the first account sees its own incident', async () => {
    addAccount(first, uid);
    policy(first);
    await agent.start();
    offence = await commitOffence(secret);
    assert.ok((await incident(offence, uid)).text.includes(secret));
    await mustBeKnownToRoot(offence, first);
    await endAll();
  });

  test('the second account sees nothing of the first, even if no agent ran meanwhile', async () => {
    await agent.stop();
    removeAccount(first);
    addAccount(second, uid);
    policy(second);
    await agent.start();
    await mustSeeNothing(offence);
    await mustBeKnownToRoot(offence, first);
  });

  test('the second account sees its own incident, also after the agent restarts', async () => {
    const own = await commitOffence('OF-THE-SECOND');
    assert.ok((await incident(own, uid)).text.includes('OF-THE-SECOND'));
    await endAll();
    await agent.stop();
    await agent.start();
    assert.deepEqual(
      (await list(uid)).map((each) => each.id),
      [own],
    );
    assert.equal((await incident(offence, uid)).status, 404);
    offence = own;
  });

  test('the third account sees nothing of the second, at once', async () => {
    removeAccount(second);
    addAccount(third, uid);
    await mustSeeNothing(offence);
    policy(third);
    await agent.until('it follows', async () =>
      (await agent.ask('/v1/top?all=1', 0)).text.includes(third),
    );
    await mustSeeNothing(offence);
    await mustBeKnownToRoot(offence, second);
  });

  test('an account that is made again under its old name sees nothing of before', async () => {
    const own = await commitOffence('OF-THE-THIRD');
    await endAll();
    await agent.stop();
    removeAccount(third);
    addAccount(third, uid);
    await agent.start();
    await mustSeeNothing(own);
    assert.equal((await incident(own, 0)).status, 200);
  });
});
