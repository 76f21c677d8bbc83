/**
 * A neighbour's statements while another tenant floods the same MariaDB: undisturbed, beside it, and with each way to
 * slow the other one down. nice, SCHED_IDLE and a quota are set on the server's threads, so that they may hold a lock
 * when they are stopped; Bulkhead pauses the clients.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { findHierarchies1, findUnified } from '../../src/host/cgroups/hierarchies.ts';
import { sleepSync } from '../../src/sys/sleep.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { ServerStage, Work, Worked } from '../../test/database/server-stage.ts';
import { logToStderr } from '../../testing/progress.ts';
import type { Bench } from '../bench.ts';
import type { AgentOfStage } from './agent-of-stage.ts';
import { everyEnd } from './every-end.ts';
import { compare, type Row, type Section } from '../samples.ts';

const limit = 0.2;
const floods = [
  { label: '4 × INSERT', work: 'insert', connections: 4 },
  { label: '4 × CREATE and DROP', work: 'ddl', connections: 4 },
  { label: '4 × scan', work: 'scan', connections: 4 },
] as const;
type Flood = (typeof floods)[number];

const ways = [
  'alone',
  'nothing done',
  'nice 19',
  'SCHED_IDLE',
  'quota 20 %',
  'Bulkhead, 20 %',
] as const;
const limited = 'Bulkhead, 20 %';
type Way = (typeof ways)[number];
/** The worker has started by then, her savings are gone, and so is the debt of her first second, for which she pauses more. */
const limitedSettleSeconds = 25;

export async function benchNeighborOfFlood(
  stage: ServerStage,
  agent: AgentOfStage,
  { quick, signal }: Bench,
): Promise<Section> {
  using quota = new Quota();
  const [seconds, rounds] = quick ? [3, 2] : [8, 3];
  const rows: Row[] = [];
  for (const flood of quick ? floods.slice(0, 1) : floods) {
    const samples = new Map<Way, Worked[]>(ways.map((way) => [way, []]));
    for (let round = -1; round < rounds; round++) {
      logToStderr(`Measuring: ${flood.label}, round ${round + 2} of ${rounds + 1}`);
      for (const way of ways) {
        signal.throwIfAborted();
        const sample = await once(stage, agent, quota, way, flood, seconds);
        if (round >= 0) samples.get(way)?.push(sample);
      }
    }
    const alone = samples.get('alone') ?? [];
    for (const way of ways.slice(1))
      for (const key of ['p50', 'p99'] as const)
        rows.push(
          compare(
            `${flood.label}, ${way}, ${key}`,
            (samples.get(way) ?? []).map((each) => each[key]),
            alone.map((each) => each[key]),
            way === limited ? 1.3 : undefined,
          ),
        );
  }
  return {
    name: 'database',
    title: "a neighbour's UPDATE, 100 a second on each of two connections, beside a flood",
    beside: 'alone',
    rows,
    notes: ['the ways took turns in one run, and ratios are those of pairs'],
  };
}

async function once(
  stage: ServerStage,
  agent: AgentOfStage,
  quota: Quota,
  way: Way,
  { work, connections }: Flood,
  seconds: number,
): Promise<Worked> {
  const settleSeconds = way === limited ? limitedSettleSeconds : 1.5;
  await using part = way === limited ? agent.part(`${limit * 100}%`, 'on') : undefined;
  const flood: Work = { work, connections, seconds: seconds + settleSeconds + 2 };
  const flooding = way === 'alone' ? undefined : stage.work('alice', flood);
  const working = (async () => {
    if (flooding !== undefined) await sleep(settleSeconds * 1_000);
    // Fails if nobody looks.
    part?.cpuMilliseconds();
    await slow(stage, quota, way);
    return stage.work('bob', { work: 'update', connections: 2, seconds, every: 10 });
  })();
  const [worked] = await everyEnd(working, flooding);
  return worked;
}

/** Slows down the threads of the server that work for alice. */
async function slow(stage: ServerStage, quota: Quota, way: Way): Promise<void> {
  if (!['nice 19', 'SCHED_IDLE', 'quota 20 %'].includes(way)) return;
  const threads = await stage.server.sql(
    "SELECT TID FROM information_schema.PROCESSLIST WHERE USER = 'alice'",
  );
  for (const row of threads) {
    const tid = Number(row.get('tid'));
    if (way === 'nice 19') setPriority(tid, 19);
    else if (way === 'SCHED_IDLE') execFileSync('chrt', ['--idle', '--pid', '0', String(tid)]);
    else quota.add(tid);
  }
}

/** A cgroup for threads that may use a fifth of a core. */
class Quota implements Disposable {
  readonly #directory: string;
  readonly #file: string;

  constructor() {
    const paths = pathsOf();
    const cpu = findHierarchies1(paths).find(({ controllers }) => controllers.has('cpu'));
    const mountPoint = cpu?.mountPoint ?? findUnified(paths)?.mountPoint;
    this.#directory = `${mountPoint}/bulkhead-bench-db-quota`;
    this.#file = `${this.#directory}/${cpu === undefined ? 'cgroup.threads' : 'tasks'}`;
    mkdirSync(this.#directory, { recursive: true });
    if (cpu === undefined) writeFileSync(`${this.#directory}/cgroup.type`, 'threaded');
    const [name, text] =
      cpu === undefined ? ['cpu.max', '20000 100000'] : ['cpu.cfs_quota_us', '20000'];
    writeFileSync(`${this.#directory}/${name}`, text);
  }

  add(tid: number): void {
    writeFileSync(this.#file, String(tid));
  }

  [Symbol.dispose](): void {
    // Threads of connections that were closed just now may still be in it.
    for (let round = 0; round < 100; round++) {
      try {
        rmdirSync(this.#directory);
        return;
      } catch {
        sleepSync(50);
      }
    }
  }
}
