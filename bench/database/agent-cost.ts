/**
 * The cost of a tenant's share: the CPU time of the agent's part with its processes, while nobody is near a limit and at
 * ten looks a second, and of the server for its cheapest statements.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { logToStderr } from '../../testing/progress.ts';
import type { ServerStage, Work } from '../../test/database/server-stage.ts';
import type { Bench } from '../bench.ts';
import { compare, type Row, type Section } from '../samples.ts';
import type { AgentOfStage } from './agent-of-stage.ts';
import { everyEnd } from './every-end.ts';

/** Milliseconds of CPU time in each second. */
const idleAllowed = 5;
const nearAllowed = 25;
const connections = 4;
/** The worker has started by then, and the limit is near. */
const startMilliseconds = 4_000;

export async function benchAgentCost(
  stage: ServerStage,
  agent: AgentOfStage,
  { quick, signal }: Bench,
): Promise<Section> {
  const [rounds, seconds] = quick ? [1, 5] : [5, 20];
  const [idle, near]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted();
    logToStderr(`Measuring: cost of the agent, round ${round + 1} of ${rounds}`);
    idle.push(await agentCpu(stage, agent, '800%', seconds));
    near.push(await agentCpu(stage, agent, '1%', seconds));
  }
  const allowed = (milliseconds: number) => idle.map(() => milliseconds);
  return {
    name: 'database-agent',
    title: "CPU time of the agent's part and its processes in each second, 24 connections",
    beside: 'allowed',
    rows: [
      compare('nobody near a limit', idle, allowed(idleAllowed), 1),
      compare('a tenant above its limit, ten looks a second', near, allowed(nearAllowed), 1),
    ],
    notes: ['limits are only watched, so that the tenant goes on'],
  };
}

/** Returns the milliseconds of CPU time in each second, while alice works under this limit. */
async function agentCpu(
  stage: ServerStage,
  agent: AgentOfStage,
  limit: string,
  seconds: number,
): Promise<number> {
  await using part = agent.part(limit, 'watch');
  const measuring = (async () => {
    await sleep(startMilliseconds);
    const [began, before] = [performance.now(), part.cpuMilliseconds()];
    await sleep(seconds * 1_000);
    return ((part.cpuMilliseconds() - before) / (performance.now() - began)) * 1_000;
  })();
  const load: Work = { work: 'scan', connections, seconds: seconds + 6 };
  const [used] = await everyEnd(measuring, stage.work('alice', load));
  return used;
}

export async function benchServerCost(
  stage: ServerStage,
  agent: AgentOfStage,
  { quick, signal }: Bench,
): Promise<Section> {
  const rounds = quick ? 1 : 7;
  const rows: Row[] = [];
  for (const [work, label, goal] of [
    ['point', 'a row by its primary key', 1.05],
    ['cheapest', 'DO 0, which does nothing', undefined],
  ] as const) {
    const [without, within]: [number[], number[]] = [[], []];
    for (let round = -1; round < rounds; round++) {
      signal.throwIfAborted();
      logToStderr(`Measuring: cost of ${work}, round ${round + 2} of ${rounds + 1}`);
      const alone = await statementCpu(stage, work);
      await stage.server.sql('SET GLOBAL userstat = 1');
      await using part = agent.part('800%', 'watch');
      await sleep(startMilliseconds);
      // Fails if nobody looks.
      part.cpuMilliseconds();
      const watched = await statementCpu(stage, work);
      await stage.server.sql('SET GLOBAL userstat = 0');
      if (round < 0) continue;
      without.push(alone);
      within.push(watched);
    }
    rows.push(compare(label, within, without, goal));
  }
  return {
    name: 'database-server',
    title: 'CPU time of the server for a statement, with userstat and a look each second',
    beside: 'without Bulkhead',
    unit: 'µs',
    rows,
    notes: ['the two took turns, and ratios are those of pairs'],
  };
}

/** Returns the microseconds of the server's CPU time for a statement. */
async function statementCpu(stage: ServerStage, work: Work['work']): Promise<number> {
  const before = stage.serverSeconds;
  const { n } = await stage.work('alice', { work, connections, seconds: 5 });
  return ((stage.serverSeconds - before) * 1e6) / n;
}
