/**
 * Three servers of a fleet with 10,000 connected hosts: what the servers need, and the time of a hint to the last host. The
 * hosts are in several processes, since one alone would need all the time for its own part of TLS.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { recordRequest, recordSubject } from '../src/fleet/core/subjects.ts';
import { lastMessage } from '../src/fleet/io/nats/last-message.ts';
import { processCpuMicroseconds } from '../src/sys/syscalls.ts';
import { placeOf } from '../src/fleet/io/server/server-files.ts';
import { skipWithoutNats, startServers, type TestServers } from '../test/fleet/nats/servers.ts';
import type { Bench } from './bench.ts';
import type { HostsFile, HostsMessage } from './fleet-hosts.ts';
import { spreadOf, type Section } from './samples.ts';

const processes = 4;
const rounds = 5;
/** The time after which no more hosts are connected. */
const connectMilliseconds = 10 * 60_000;
const hearMilliseconds = 120_000;
const idleMilliseconds = 20_000;

export async function benchFleetCrowd({ quick, signal }: Bench): Promise<Section> {
  if (skipWithoutNats !== false) throw new Error(skipWithoutNats);
  const count = quick ? 400 : 10_000;
  await using fleet = await startServers(3);
  const before = memoryOf(fleet);
  await using crowd = new Crowd(fleet, count);
  const began = performance.now();
  const { connected, failed } = await crowd.connected(signal);
  const seconds = (performance.now() - began) / 1000;
  const cpu = cpuOf(fleet);
  await sleep(quick ? 1_000 : idleMilliseconds, undefined, { signal });
  const idle = ((cpuOf(fleet) - cpu) / (quick ? 1_000 : idleMilliseconds)) * 100;
  const memory = memoryOf(fleet);
  const hints: number[] = [];
  const requests: number[] = [];
  const publisher = await fleet.connect(fleet.centre);
  const host = await fleet.connect(fleet.host('alone'));
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted();
    const heard = crowd.heard(signal);
    const from = now();
    await publisher.request(recordSubject, 'x'.repeat(1024), { timeout: 60_000 });
    hints.push((await heard) - from);
    const asked = now();
    await lastMessage(host, recordRequest);
    requests.push(now() - asked);
  }
  return {
    name: 'fleet-crowd',
    title: `Three servers of a fleet and ${connected} connected hosts, on one machine`,
    beside: 'a request of one host',
    rows: [
      {
        label: `a hint to the last of ${connected} hosts`,
        ours: spreadOf(hints),
        floor: spreadOf(requests),
        note: '5 s is the goal',
      },
    ],
    notes: [
      `${connected} hosts in ${processes} processes connected within ${seconds.toFixed(0)} s, ${failed} did not`,
      `the servers have ${listed(memory)}, and had ${listed(before)} without hosts; idle connections cost each ${idle.toFixed(2)} % of a core`,
    ],
  };
}

const listed = (all: readonly number[]) => all.map((each) => `${each.toFixed(0)} MiB`).join(', ');

/** The time in milliseconds, by the clock that all processes share. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

const pidsOf = ({ servers }: TestServers) =>
  servers.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));

/** Returns the CPU time of a server, in milliseconds, as the mean of all. */
function cpuOf(fleet: TestServers): number {
  const pids = pidsOf(fleet);
  const sum = pids.reduce((total, pid) => total + (processCpuMicroseconds(pid) ?? NaN), 0);
  return sum / 1000 / pids.length;
}

const memoryOf = (fleet: TestServers): readonly number[] =>
  pidsOf(fleet).map((pid) => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  });

/** Processes of hosts. They end with this. */
class Crowd implements AsyncDisposable {
  readonly #children: readonly ChildProcess[];

  constructor({ directory, state }: TestServers, count: number) {
    const { keys } = state;
    const place = placeOf(state);
    this.#children = Array.from({ length: processes }, (_, part) => {
      const names = Array.from(
        { length: Math.floor((count + part) / processes) },
        (__, each) => `web-${part}-${each}`,
      );
      const file = join(directory, `hosts-${part}.json`);
      const hosts: HostsFile = { place, keys, names };
      writeFileSync(file, JSON.stringify(hosts), { mode: 0o600 });
      const program = fileURLToPath(new URL('fleet-hosts.ts', import.meta.url));
      return fork(program, [file, `${connectMilliseconds}`], { execArgv: ['--no-warnings'] });
    });
  }

  /** Waits until each process has connected its hosts, or failed to. */
  async connected(
    signal: AbortSignal,
  ): Promise<{ readonly connected: number; readonly failed: number }> {
    const all = await this.#each(
      AbortSignal.any([signal, AbortSignal.timeout(connectMilliseconds + hearMilliseconds)]),
    );
    const sum = (of: 'count' | 'failed') =>
      all.reduce((total, each) => total + (each.kind === 'connected' ? each[of] : 0), 0);
    return { connected: sum('count'), failed: sum('failed') };
  }

  /** Waits until the last host has heard of the next hint, and returns when that was. */
  async heard(signal: AbortSignal): Promise<number> {
    const all = await this.#each(AbortSignal.any([signal, AbortSignal.timeout(hearMilliseconds)]));
    return Math.max(...all.map((each) => (each.kind === 'heard' ? each.at : NaN)));
  }

  #each(signal: AbortSignal): Promise<readonly HostsMessage[]> {
    return Promise.all(
      this.#children.map(async (child) => {
        const [message] = (await once(child, 'message', { signal })) as [HostsMessage];
        return message;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }),
    );
  }
}
