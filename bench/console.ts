/**
 * The cost of dashboards that show live data: the agent with 50 streams, and with none, in turn. Fronts and pages run in
 * this process, so only the agent is measured. An account has few sessions and a session few streams, so several fronts
 * share the pages: the agent makes a frame for each front and tick.
 */
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { callAgent } from '../src/agent/api/client.ts';
import type { ConsoleCodeResponse, ConsoleSessionStart } from '../src/agent/api/console-api.ts';
import type { StatusResponse } from '../src/agent/api/status-response.ts';
import { Front } from '../src/console/io/front.ts';
import { consoleAgentSocketOf } from '../src/host/paths.ts';
import { formatProblem } from '../packages/base/problem.ts';
import {
  buildLoad,
  cpuMilliseconds,
  intervalSeconds,
  nextTicks,
  startAgent,
  startLoad,
  writePolicy,
} from './agent.ts';
import type { Bench } from './bench.ts';
import { spreadOf, type Section } from './samples.ts';
import { Scratch } from './scratch.ts';

const tenants = 1_000;
const busy = 300;
const dashboards = 50;
const sessions = 8;
const streamsOfSession = 2;
/** The share of a core that all of the dashboards may cost. */
const shareMax = 0.003;

interface Block {
  /** CPU time of the agent, in milliseconds a tick. */
  readonly cpu: number;
  /** How late the latest tick was, in milliseconds. */
  readonly late: number;
}

export async function benchConsole(bench: Bench): Promise<Section> {
  const [rounds, ticks] = bench.quick ? [2, 2] : [6, 4];
  using scratch = new Scratch(bench.directory, tenants);
  writePolicy(scratch, false);
  await using agent = await startAgent(bench, scratch);
  await using _load = await startLoad(buildLoad(bench.directory), busy, false);
  // Until the first of them, the agent applies the policy and answers no login.
  await nextTicks(scratch, 2);
  const tokens = await logIn(scratch);
  const [without, beside]: [Block[], Block[]] = [[], []];
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    bench.signal.throwIfAborted();
    without.push(await blockOf(scratch, agent.pid, ticks));
    await using pages = await openPages(bench, scratch, tokens);
    // Opening them is not the cost of a tick.
    await nextTicks(scratch, 1);
    const before = pages.bytes;
    beside.push(await blockOf(scratch, agent.pid, ticks));
    bytes = Math.max(bytes, (pages.bytes - before) / ticks / dashboards);
  }
  const ofCpu = (blocks: readonly Block[]) => blocks.map(({ cpu }) => cpu);
  const ratios = beside.map(({ cpu }, round) => cpu / (without[round]?.cpu ?? NaN));
  const more = spreadOf(beside.map(({ cpu }, round) => cpu - (without[round]?.cpu ?? NaN))).p50;
  const share = (more / (intervalSeconds * 1000)) * 100;
  const latest = (blocks: readonly Block[]) => Math.max(...blocks.map(({ late }) => late));
  return {
    name: 'console',
    title: `A tick of the agent with ${dashboards} dashboards, ${tenants} tenants, CPU time`,
    beside: 'no dashboard',
    rows: [
      {
        label: `${dashboards} streams`,
        ours: spreadOf(ofCpu(beside)),
        floor: spreadOf(ofCpu(without)),
        ratio: spreadOf(ratios),
        note: `${share.toFixed(2)} % of a core more, of ${(shareMax * 100).toFixed(1)} % that are the goal; the latest tick was ${latest(beside).toFixed(0)} ms late, and ${latest(without).toFixed(0)} ms without; ${(bytes / 1024).toFixed(1)} KiB a page and tick`,
      },
    ],
    notes: [`${busy} tenants do something`, `${frontsFor()} fronts, each with a frame a tick`],
  };
}

const frontsFor = () => Math.ceil(dashboards / (sessions * streamsOfSession));

/** Measures some ticks. */
async function blockOf(scratch: Scratch, pid: number, ticks: number): Promise<Block> {
  let last = endOf(await nextTicks(scratch, 1));
  let late = 0;
  const before = cpuMilliseconds(pid);
  for (let tick = 0; tick < ticks; tick++) {
    const end = endOf(await nextTicks(scratch, 1));
    late = Math.max(late, end - last - intervalSeconds * 1000);
    last = end;
  }
  return { cpu: (cpuMilliseconds(pid) - before) / ticks, late };
}

const endOf = ({ tick }: StatusResponse) => tick.endedAt ?? 0;

/** Returns tokens of root's sessions. */
async function logIn({ host }: Scratch): Promise<readonly string[]> {
  const tokens: string[] = [];
  for (let session = 0; session < sessions; session++) {
    const made = await callAgent<ConsoleCodeResponse>(
      host.paths,
      '/v1/console/codes',
      {},
      { method: 'POST' },
    );
    if (!made.ok) throw new Error(formatProblem(made.error));
    const reply = await send(consoleAgentSocketOf(host.paths), '/v1/console/session', {
      method: 'POST',
      authorization: `Code ${made.value.code}`,
    });
    tokens.push((JSON.parse(await textOf(reply)) as ConsoleSessionStart).token);
  }
  return tokens;
}

interface Pages extends AsyncDisposable {
  readonly bytes: number;
}

async function openPages(
  { directory }: Bench,
  { host }: Scratch,
  tokens: readonly string[],
): Promise<Pages> {
  const fronts: Front[] = [];
  const streams: IncomingMessage[] = [];
  let bytes = 0;
  for (let page = 0; page < dashboards; page++) {
    const number = Math.floor(page / (sessions * streamsOfSession));
    const socket = `${directory}/front-${number}.sock`;
    if (fronts[number] === undefined) {
      const front = new Front({
        agentSocket: consoleAgentSocketOf(host.paths),
        files: new Map(),
        names: new Set(['localhost']),
        frameAncestors: [],
      });
      fronts.push(front);
      const listens = await front.listen({ path: socket });
      if (!listens.ok) throw new Error(`cannot listen: ${listens.error.reason}`);
    }
    const authorization = `Bearer ${tokens[page % sessions]}`;
    const stream = await send(socket, '/v1/console/stream', { method: 'GET', authorization });
    if (stream.statusCode !== 200) throw new Error(`a stream is refused: ${stream.statusCode}`);
    stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
    stream.on('error', () => {});
    streams.push(stream);
  }
  return {
    get bytes() {
      return bytes;
    },
    [Symbol.asyncDispose]: async () => {
      for (const stream of streams) stream.destroy();
      await Promise.all(fronts.map((front) => front[Symbol.asyncDispose]()));
    },
  };
}

function send(
  socketPath: string,
  path: string,
  { method, authorization }: { readonly method: string; readonly authorization: string },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'localhost', authorization, 'accept-encoding': 'gzip' };
    request({ socketPath, path, method, headers, agent: false }, resolve).on('error', reject).end();
  });
}

async function textOf(reply: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of reply as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
