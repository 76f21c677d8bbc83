/**
 * Processes that start before they are placed, against the limit of processes: counted, if not refused.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import type { IncidentResponse, IncidentsResponse, TopResponse } from '../../src/agent/api/api.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';

const here = hostHere('bulkhead-attack-processes');
const skip = 'skip' in here ? here.skip : false;
const uid = 881_001;
const limit = 20;
const started = 150;

describe('processes that start before the placer moves them', { skip }, () => {
  let agent: RunningAgent;

  before(async () => {
    if ('skip' in here) return;
    agent = new RunningAgent(here.host);
    agent.writePolicy(
      `<agent interval="1s"/><tenant uid="${uid}"><processes limit="${limit}"/></tenant>`,
    );
    await agent.start();
    await agent.until('it places', async () => (await agent.status()).placement.state === 'on');
    await agent.until('it has read once', async () => (await agent.status()).tick.ticks > 1);
  });
  after(() => agent[Symbol.asyncDispose]());

  test('are counted as faults, and shown as above the processes limit', async () => {
    const program = `${agent.directory}/many`;
    const source = fileURLToPath(new URL('many.c', import.meta.url));
    execFileSync('gcc', ['-O1', '-o', program, source]);
    const child = spawn(program, [String(uid), String(started)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      // A kernel or a placer that was faster has refused the rest, which is counted likewise.
      assert.ok(Number(line.toString()) > limit, line.toString());
      await agent.until('it is a fault', async () => {
        const { incidents } = (await agent.ask('/v1/incidents')).json<IncidentsResponse>();
        return incidents.some((each) => each.limit === 'processes.limit');
      });
      const { incidents } = (await agent.ask('/v1/incidents')).json<IncidentsResponse>();
      const [incident] = incidents;
      assert.equal(incident?.severity, 'refused');
      assert.ok((incident?.faults ?? 0) > 0);
      await agent.until('it is explained', async () => {
        const reply = await agent.ask(`/v1/incidents/${incident?.id}`);
        return reply.json<IncidentResponse>().explanation.some((each) => each.includes('at once'));
      });
      const top = (await agent.ask('/v1/top')).json<TopResponse>();
      const row = top.rows.find((each) => each.uid === uid);
      assert.ok((row?.usage.threadsPeak ?? 0) > limit, JSON.stringify(row));
    } finally {
      child.stdin.end();
      await once(child, 'exit');
    }
  });
});
