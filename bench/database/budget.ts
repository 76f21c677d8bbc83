/**
 * How well a tenant is held to its budget: the CPU time of the server's connections, in 10 s of each load, with
 * nobody else there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BackgroundThreads } from '../../src/database/io/mariadb/threads.ts';
import { logToStderr } from '../../testing/progress.ts';
import type { ServerStage, Work } from '../../test/database/server-stage.ts';
import type { Bench } from '../bench.ts';
import { compare, type Row, type Section } from '../samples.ts';
import type { AgentOfStage } from './agent-of-stage.ts';
import { everyEnd } from './every-end.ts';

const limit = 0.2;
const loads = [
  'page',
  'point',
  'scan',
  'update',
  'insert',
  'ddl',
] as const satisfies readonly Work['work'][];
const seconds = 10;
/**
 * The worker has started by then, her savings are gone, and so is the debt of her first second, in which looks were a
 * second apart: at 2 cores, the pauses that pay it take 17 s.
 */
const warmMilliseconds = 25_000;

export async function benchBudget(
  stage: ServerStage,
  agent: AgentOfStage,
  { quick, signal }: Bench,
): Promise<Section> {
  const rows: Row[] = [];
  for (const work of loads) {
    signal.throwIfAborted();
    logToStderr(`Measuring: budget of ${work}`);
    const used = await heldTo(stage, agent, work, quick ? 1 : 5);
    const row = compare(
      `4 × ${work}`,
      used,
      used.map(() => limit * 1000),
      1.1,
    );
    const least = row.ratio?.p50 ?? NaN;
    rows.push(least < 0.9 ? { ...row, note: 'less than 0.9' } : row);
  }
  return {
    name: 'database-budget',
    title: 'CPU time of the server in each second, while one tenant floods it',
    beside: 'budget',
    rows,
    notes: [
      'the goal is 0.9 to 1.1, each 10 s; background threads of the server, such as writing pages, are left out',
    ],
  };
}

/** Returns the milliseconds of CPU time in each second, of `spans` in sequence, while the agent's part holds alice. */
async function heldTo(
  stage: ServerStage,
  agent: AgentOfStage,
  work: Work['work'],
  spans: number,
): Promise<readonly number[]> {
  await using part = agent.part(`${limit * 100}%`, 'on');
  const measuring = (async () => {
    await sleep(warmMilliseconds);
    // Fails if nobody looks.
    part.cpuMilliseconds();
    const background = new BackgroundThreads(stage.server.pid);
    const read = () => ({
      at: performance.now(),
      cpu: stage.serverSeconds - (background.read() ?? NaN) / 1e6,
    });
    background.read();
    const rates: number[] = [];
    for (let last = read(); rates.length < spans;) {
      await sleep(seconds * 1_000);
      const now = read();
      rates.push(((now.cpu - last.cpu) / (now.at - last.at)) * 1e6);
      last = now;
    }
    return rates;
  })();
  const load: Work = {
    work,
    connections: 4,
    seconds: warmMilliseconds / 1_000 + spans * (seconds + 1),
  };
  const [rates] = await everyEnd(measuring, stage.work('alice', load));
  return rates;
}
