/**
 * Three servers of a fleet with 1,000 connected hosts, each with TLS and a credential of its own: the time of a
 * hint to the last of them, of a revocation and of a question to all, beside one request of a host; and what the servers
 * need.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { fail, type Result } from '../packages/base/result.ts';
import type { AgentFailure } from '../src/agent/api/client.ts';
import type { FleetAnswerResponse } from '../src/agent/api/fleet-api.ts';
import type { FleetEngine } from '../src/agent/fleet/fleet-agent.ts';
import { mergedTop } from '../src/fleet/core/ask/merge.ts';
import { hostNamespaces } from '../src/fleet/core/told/signed.ts';
import { Answerer } from '../src/fleet/io/ask/answerer.ts';
import { QuestionDesk } from '../src/fleet/io/courier/question-desk.ts';
import { askHosts, type AskedHost } from '../src/fleet/io/nats/ask-hosts.ts';
import { readHostKey } from '../src/fleet/io/outbox/host-key.ts';
import { roomEngine } from '../test/fleet/room-engine.ts';
import {
  docHintSubject,
  docRequest,
  docSubject,
  recordHintSubject,
  recordRequest,
  recordSubject,
  statusSubject,
} from '../src/fleet/core/subjects.ts';
import { processCpuMicroseconds } from '../src/sys/syscalls.ts';
import { readCredential } from '../src/fleet/io/nats/connect.ts';
import { lastMessage } from '../src/fleet/io/nats/last-message.ts';
import { addHost, removeHost } from '../src/fleet/io/server/hosts.ts';
import {
  skipWithoutNats,
  startServers,
  testFleet,
  type TestServers,
} from '../test/fleet/nats/servers.ts';
import type { Bench } from './bench.ts';
import { inTurn, spreadOf, type Row, type Section } from './samples.ts';

/** Connections that are made at the same time. */
const atOnce = 50;
const rounds = 5;
const pollSeconds = 300;
const statusSeconds = 60;
const statusBytes = 2048;

export async function benchFleetServers({ quick, signal }: Bench): Promise<Section> {
  if (skipWithoutNats !== false) throw new Error(skipWithoutNats);
  const hosts = quick ? 100 : 1000;
  await using fleet = await startServers(3);
  const connected = await connectHosts(fleet, hosts, signal);
  const request = await requestOf(connected);
  const hint = await hintOf(fleet, connected, signal);
  const ask = await askOf(fleet, connected, signal);
  const revocation = await revocationOf(fleet, connected);
  return {
    name: 'fleet-servers',
    title: 'Three servers of a fleet, on one machine with all its hosts',
    beside: 'a request of one host',
    rows: [
      {
        ...rowOf(`a hint to the last of ${hosts} hosts`, hint, request),
        note: '1.5 s is the goal',
      },
      {
        ...rowOf(`a revocation beside ${hosts} hosts`, revocation.milliseconds, request),
        note: `1 s is the goal; ${revocation.dropped} of the others lost their connection`,
      },
      {
        ...rowOf(`top 20 over ${hosts} hosts, asked`, ask.all, ask.one),
        note: '1 s is the goal; the other column: one host is asked',
      },
    ],
    notes: [
      await costOf(fleet, connected, signal),
      'hosts that are asked make and sign their answers as agents do, all in one process, from figures in memory: none reads a history',
    ],
  };
}

const rowOf = (label: string, ours: readonly number[], floor: readonly number[]): Row => ({
  label,
  ours: spreadOf(ours),
  floor: spreadOf(floor),
});

interface Host {
  readonly name: string;
  readonly connection: NatsConnection;
}

async function connectHosts(
  fleet: TestServers,
  count: number,
  signal: AbortSignal,
): Promise<readonly Host[]> {
  const names = Array.from({ length: count }, (_, index) => `web-${index}`);
  const hosts: Host[] = [];
  const connectNext = async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      signal.throwIfAborted();
      hosts.push({ name, connection: await fleet.connect(fleet.host(name)) });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, connectNext));
  return hosts;
}

async function requestOf(hosts: readonly Host[]): Promise<readonly number[]> {
  const samples: number[] = [];
  for (const { connection } of hosts.slice(0, 20)) {
    const began = performance.now();
    await lastMessage(connection, recordRequest);
    samples.push(performance.now() - began);
  }
  return samples;
}

/** Publishes a record, of which each host hears by one message. */
async function hintOf(
  { connect, centre }: TestServers,
  hosts: readonly Host[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  let heard = 0;
  for (const { connection, name } of hosts) {
    connection.subscribe(recordHintSubject, { callback: () => void heard++ });
    connection.subscribe(docHintSubject(name), { callback: () => undefined });
  }
  await Promise.all(hosts.map(({ connection }) => connection.flush()));
  const publisher = await connect(centre);
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted();
    heard = 0;
    const began = performance.now();
    await publisher.request(recordSubject, 'x'.repeat(1024), { timeout: 60_000 });
    while (heard < hosts.length) await new Promise((resolve) => setTimeout(resolve, 1));
    samples.push(performance.now() - began);
  }
  return samples;
}

/** Asks all hosts for the tenants that used the most in a day, and one of them alone. */
async function askOf(
  { connect, centre, directory }: TestServers,
  hosts: readonly Host[],
  signal: AbortSignal,
): Promise<{ readonly all: readonly number[]; readonly one: readonly number[] }> {
  const asked = hosts.map(({ name, connection }) =>
    answering(join(directory, name), name, connection),
  );
  await Promise.all(hosts.map(({ connection }) => connection.flush()));
  const asker = await connect(centre);
  const ask = async (some: readonly AskedHost[]) => {
    const nonce = randomBytes(16).toString('hex');
    const question = {
      format: 1,
      nonce,
      seconds: 86_400,
      metrics: ['cpu'],
      tenant: null,
      count: 20,
    } as const;
    const began = performance.now();
    const got = await askHosts(asker, testFleet, some, question, 60_000);
    const answers = got.map(({ host, answer }) => {
      if (!answer.ok) throw new Error(`${host}: ${answer.error.reason}`);
      return answer.value;
    });
    const top = mergedTop(answers, 'cpu', 20);
    if (top.length !== 20) throw new Error(`${top.length} tenants`);
    return performance.now() - began;
  };
  // A host answers some ten questions at once: each round asks another one alone.
  let next = 0;
  const [all = [], one = []] = await inTurn(
    rounds,
    [() => ask(asked), () => ask(asked.slice(next, ++next))],
    signal,
  );
  return { all, one };
}

/** Lets a host answer on its connection as a courier and an agent do, and returns its key. */
function answering(directory: string, host: string, connection: NatsConnection): AskedHost {
  mkdirSync(directory);
  const key = readHostKey(directory);
  if (!key.ok) throw new Error(JSON.stringify(key.error));
  const answerer = new Answerer(directory);
  const engine = roomEngine() as unknown as FleetEngine;
  const shown = { state: 'healthy', fleet: testFleet, host, problems: [] } as const;
  const answer = async (text: string): Promise<Result<FleetAnswerResponse, AgentFailure>> => {
    const answered = await answerer.answer(shown, engine, text);
    return answered.ok ? answered : fail({ ...answered.error, action: 'answer' });
  };
  const warn = (text: string) => void process.stderr.write(`${host}: ${text}\n`);
  new QuestionDesk({ answer }, warn).open(connection, host);
  return { host, key: key.value.sign(hostNamespaces.answer, '').key };
}

/** Ends the credentials of some hosts, and counts the connections of others that end with them. */
async function revocationOf(
  fleet: TestServers,
  hosts: readonly Host[],
): Promise<{ readonly milliseconds: readonly number[]; readonly dropped: number }> {
  let dropped = 0;
  for (const { connection } of hosts)
    void (async () => {
      for await (const { type } of connection.status()) if (type === 'disconnect') dropped++;
    })();
  const milliseconds: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const name = `gone-${round}`;
    const credential = addedHost(fleet, name);
    const connection = await fleet.connect(credential, { reconnect: false });
    const began = performance.now();
    const removed = await removeHost(fleet.directory, name);
    if (!removed.ok) throw new Error(JSON.stringify(removed.error));
    await connection.closed();
    milliseconds.push(performance.now() - began);
  }
  return { milliseconds, dropped };
}

function addedHost({ directory }: TestServers, name: string) {
  const file = addHost(directory, name);
  if (!file.ok) throw new Error(JSON.stringify(file.error));
  const credential = readCredential(file.value);
  if (!credential.ok) throw new Error(JSON.stringify(credential.error));
  return credential.value;
}

/** Says what memory and processors the servers need: each host sends a status and polls its documents, as fast as it can. */
async function costOf(
  { connect, centre, servers }: TestServers,
  hosts: readonly Host[],
  signal: AbortSignal,
): Promise<string> {
  const publisher = await connect(centre);
  await publisher.request(docSubject('web-0'), 'x'.repeat(2048), { timeout: 60_000 });
  const pids = servers.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  const used = () =>
    pids.reduce((sum, pid) => sum + (processCpuMicroseconds(pid) ?? NaN) / 1000, 0) / pids.length;
  const each = async (act: (host: Host) => Promise<unknown>) => {
    const before = used();
    const queue = [...hosts];
    const next = async () => {
      for (let host = queue.pop(); host !== undefined; host = queue.pop()) {
        signal.throwIfAborted();
        await act(host);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, next));
    return used() - before;
  };
  const text = 'x'.repeat(statusBytes);
  const statuses = await each(({ name, connection }) =>
    connection.request(statusSubject(name), text, { timeout: 60_000 }),
  );
  const polls = await each(async ({ name, connection }) => {
    await lastMessage(connection, docRequest(name));
    await lastMessage(connection, recordRequest);
  });
  const percent = (statuses / (statusSeconds * 1000) + polls / (pollSeconds * 1000)) * 100;
  const mebibytes = pids.map((pid) => `${residentMebibytes(pid).toFixed(0)} MiB`);
  return `${hosts.length} hosts: each server needs ${percent.toFixed(2)} % of a core for a status a minute and a poll every 5 minutes; they have ${mebibytes.join(', ')}`;
}

function residentMebibytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
