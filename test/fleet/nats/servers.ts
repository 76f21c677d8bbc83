/** Real servers of a fleet on the loopback, from the very files that `bulkhead fleet server init` writes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Credential } from '../../../src/fleet/core/credential.ts';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { connectWith, readCredential } from '../../../src/fleet/io/nats/connect.ts';
import { ensureStreams, replicasOf } from '../../../src/fleet/io/nats/streams.ts';
import { addServers } from '../../../src/fleet/io/server/add-servers.ts';
import {
  makeHostCredential,
  makeOwnCredential,
} from '../../../src/fleet/io/server/make-credential.ts';
import type { ServerPlace } from '../../../src/fleet/io/server/nats-conf.ts';
import { centreFile, placeOf, writeServers } from '../../../src/fleet/io/server/server-files.ts';
import type { ServerState } from '../../../src/fleet/io/server/server-state.ts';
import { freePort } from '../../../testing/free-port.ts';
import { eventually } from '../../../testing/patience.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const ready = await ensurePrerequisites('nats', (line) => process.stderr.write(`${line}\n`));
/** The option of tests: a reason to skip them, or false. */
export const skipWithoutNats: string | false = ready.ok ? false : ready.reason;

export const testFleet = 'example';

/** One server. Signals go to its process by the id. */
export class TestServer {
  readonly place: ServerPlace;
  readonly #conf: string;
  readonly #log: string;
  readonly #within: readonly string[];
  #process: ChildProcess | undefined;

  constructor(directory: string, place: ServerPlace, within: readonly string[] = []) {
    this.place = place;
    this.#within = within;
    this.#conf = join(directory, 'servers', place.name, 'nats.conf');
    this.#log = join(directory, `${place.name}.log`);
  }

  /** Its address, as credentials have it. */
  get url(): string {
    return `tls://${this.place.address}:${this.place.port}`;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  start(): void {
    const log = openSync(this.#log, 'a');
    const [program, ...args] = [...this.#within, 'nats-server', '-c', this.#conf] as const;
    this.#process = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  /** Ends it as SIGKILL does, and waits for its end. */
  kill = (): Promise<void> => this.#end('SIGKILL');
  stop = (): Promise<void> => this.#end('SIGTERM');
  pause = (): boolean | undefined => this.#process?.kill('SIGSTOP');
  resume = (): boolean | undefined => this.#process?.kill('SIGCONT');

  async #end(signal: NodeJS.Signals): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill(signal);
    running.kill('SIGCONT');
    await ended;
  }

  log = (): string => readFileSync(this.#log, 'utf8').slice(-8192);

  /** The group that places streams, as this server knows it; the leader knows its members. */
  async group(): Promise<
    { readonly size: number; readonly members: readonly string[] } | undefined
  > {
    const url = `http://127.0.0.1:${this.place.monitorPort}/jsz`;
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(healthTimeoutMs) });
      const { meta_cluster: group } = (await answer.json()) as { readonly meta_cluster?: Group };
      if (group === undefined) return undefined;
      const { cluster_size: size = 0, leader = '', replicas = [] } = group;
      return { size, members: [leader, ...replicas.map(({ name }) => name)] };
    } catch {
      return undefined;
    }
  }

  async isHealthy(): Promise<boolean> {
    const url = `http://127.0.0.1:${this.place.monitorPort}/healthz`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(healthTimeoutMs) }).catch(
      () => undefined,
    );
    return answer?.status === 200;
  }
}

interface Group {
  readonly cluster_size?: number;
  readonly leader?: string;
  readonly replicas?: readonly { readonly name: string }[];
}

/** The limit of one try; it is asked again. */
const healthTimeoutMs = 10_000;

/** Servers with their streams. They end when the tests do. */
export interface TestServers extends AsyncDisposable {
  readonly directory: string;
  readonly state: ServerState;
  readonly servers: readonly TestServer[];
  /** The credential of the centre, as its file has it. */
  readonly centre: Credential;
  readonly system: Credential;
  /** Makes a credential of a host. */
  readonly host: (name: string) => Credential;
  /** Connects; the connection is closed at the end. */
  readonly connect: (
    credential: Credential,
    options?: ConnectionOptions,
  ) => Promise<NatsConnection>;
  /** Waits until all servers are healthy. */
  readonly healthy: () => Promise<void>;
  /** Adds two servers to one, and restarts that. Returns the hosts whose file is not there any more. */
  readonly grow: () => Promise<readonly string[]>;
}

/** `within` returns the command that runs a server with this directory for its data, and with the same process id. */
export async function startServers(
  count: 1 | 3,
  within: (data: string) => Promise<readonly string[]> = () => Promise.resolve([]),
): Promise<TestServers> {
  const temporary = temporaryDirectory('nats');
  const directory = temporary.path;
  const places = await Promise.all(
    Array.from({ length: count }, (_, index) => placeIn(directory, `nats-${index + 1}`)),
  );
  const written = writeServers(directory, testFleet, places);
  if (!written.ok) throw new Error(JSON.stringify(written.error));
  let state = written.value;
  const centre = readCredential(centreFile(directory));
  if (!centre.ok) throw new Error(JSON.stringify(centre.error));
  const servers: TestServer[] = [];
  for (const place of places)
    servers.push(new TestServer(directory, place, await within(place.data)));
  const connections: NatsConnection[] = [];
  const started: TestServers = {
    directory,
    get state() {
      return state;
    },
    servers,
    centre: centre.value,
    get system() {
      return makeOwnCredential(placeOf(state), state.keys, 'system');
    },
    host: (name) => makeHostCredential(placeOf(state), state.keys, name).credential,
    async connect(credential, options) {
      const connection = await connectWith(credential, { timeout: connectTimeoutMs, ...options });
      connections.push(connection);
      return connection;
    },
    async healthy() {
      for (const server of servers) await healthy(server);
    },
    async grow() {
      const added = [await placeIn(directory, 'nats-2'), await placeIn(directory, 'nats-3')];
      const grown = addServers(directory, added);
      if (!grown.ok) throw new Error(JSON.stringify(grown.error));
      state = grown.value.state;
      const [first] = servers;
      await first?.kill();
      servers.push(...added.map((place) => new TestServer(directory, place)));
      for (const server of servers) server.start();
      await started.healthy();
      await whole(servers);
      const connection = await started.connect(
        makeOwnCredential(placeOf(state), state.keys, 'centre'),
      );
      await makeStreams(connection, servers.length);
      return grown.value.without;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(connections.map((each) => each.close().catch(() => undefined)));
      await Promise.all(servers.map((each) => each.kill()));
      temporary.remove();
    },
  };
  try {
    for (const server of servers) server.start();
    await started.healthy();
    if (count > 1) await whole(servers);
    const connection = await started.connect(started.centre);
    await makeStreams(connection, count);
  } catch (error) {
    await started[Symbol.asyncDispose]();
    throw error;
  }
  return started;
}

const connectTimeoutMs = 60_000;

/** Waits for a server. One that has lost the others is restarted, as `bulkhead-fleet-nats-watch.service` does. */
async function healthy(server: TestServer): Promise<void> {
  let since = performance.now();
  const state = async () => {
    if (await server.isHealthy()) return true;
    if (performance.now() - since > lostMs) {
      await server.kill();
      server.start();
      since = performance.now();
    }
    return false;
  };
  await eventually(`${server.place.name} is healthy`, state, server.log);
}

const lostMs = 90_000;

/** Waits until all servers are in the group that places streams. One that the others founded it without is restarted. */
async function whole(servers: readonly TestServer[]): Promise<void> {
  let since = performance.now();
  const state = async () => {
    const groups = await Promise.all(servers.map((each) => each.group()));
    const size = Math.max(...groups.map((each) => each?.size ?? 0));
    if (groups.every((each) => each?.size === servers.length)) return true;
    const members = groups.find((each) => (each?.members.length ?? 0) > 1)?.members ?? [];
    const outside = servers.find(({ place }) => !members.includes(place.name));
    if (performance.now() - since > outsideMs && size > 1 && outside !== undefined) {
      await outside.kill();
      outside.start();
      since = performance.now();
    }
    return false;
  };
  await eventually('all servers are in one group', state);
}

/** The time after which a group that has a leader is not waited for. */
const outsideMs = 3000;

/** Waits until streams can be made: a cluster that has just begun refuses what it can do a moment later. */
async function makeStreams(connection: NatsConnection, count: number): Promise<void> {
  let last: unknown;
  await eventually(
    'the streams are made',
    () =>
      ensureStreams(connection, replicasOf(count)).then(
        () => true,
        (error: unknown) => {
          last = error;
          return false;
        },
      ),
    () => String(last),
  );
}

async function placeIn(directory: string, name: string): Promise<ServerPlace> {
  const [port, clusterPort, monitorPort] = [await freePort(), await freePort(), await freePort()];
  const files = join(directory, 'servers', name);
  const data = join(directory, 'data', name);
  mkdirSync(data, { recursive: true });
  const listening = { address: 'localhost', listen: '127.0.0.1', port, clusterPort, monitorPort };
  return { name, ...listening, files, keyFile: join(files, 'tls.key'), data };
}
