/** A host's courier and a centre, each a process of its own, on real servers; the agent is its API with a real outbox. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { ok } from '../../../packages/base/result.ts';
import type { FleetResponse } from '../../../src/agent/api/fleet-api.ts';
import type { FleetEngine } from '../../../src/agent/fleet/fleet-agent.ts';
import { credentialText } from '../../../src/fleet/core/credential.ts';
import { parseStatus, type HostStatus } from '../../../src/fleet/core/told/status.ts';
import { Outbox } from '../../../src/fleet/io/outbox/outbox.ts';
import { CentreStore, type KnownHost } from '../../../src/fleet/io/server/centre-store.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import type { Member } from '../../../src/usage/member.ts';
import { eventually } from '../../../testing/patience.ts';
import { roomEngine } from '../room-engine.ts';
import { testFleet, type TestServers } from './servers.ts';

const fileOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
export const hostName = 'web-001';

/** A program that is started again and again, and ended by its process id. */
export class Program {
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  constructor(file: string, ...args: readonly string[]) {
    this.#args = [fileOf(file), ...args];
  }

  /** Ends it as systemd does, and returns its exit status. */
  async stop(): Promise<number | null> {
    const child = this.#child ?? assert.fail('it does not run');
    this.#child = undefined;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    return child.exitCode;
  }

  start(): void {
    this.#child = spawn(process.execPath, ['--no-warnings', ...this.#args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

const placement = { state: 'on', events: 0, migrated: 0, overruns: 0, restarts: 0 } as const;
const engine = {
  placement: () => ({ ...placement, outside: [], unknown: [], scannedAt: 1 }),
  events: { incidents: () => ok({ incidents: [], total: 3 }) },
  tenants: () => 12,
  ...roomEngine(),
} as unknown as FleetEngine;

export class CourierStage implements AsyncDisposable {
  readonly courier: Program;
  readonly centre: Program;
  /** The directory of files that the centre uploads. */
  readonly hosts: string;
  /** The releases that were handed to the agent. */
  readonly taken: string[] = [];
  fleet: FleetResponse = { state: 'healthy', fleet: testFleet, host: hostName, problems: [] };
  made = 0;
  readonly warnings: string[] = [];
  /** The credentials of the host and of the centre. */
  readonly credential: string;
  readonly centreCredential: string;
  /** The directory of what was published. */
  readonly release: string;
  readonly #directory: string;
  readonly #runtime: string;
  readonly #agent: Server;
  #outbox: Outbox;
  #at = 1e12;

  constructor(directory: string, instance: string, servers: TestServers) {
    this.#directory = directory;
    this.#runtime = pathsOf(instance).runtime;
    this.release = join(directory, 'release');
    this.hosts = join(this.release, 'hosts');
    // A run that was killed has left its socket.
    rmSync(this.#runtime, { recursive: true, force: true });
    for (const each of [this.hosts, this.storeDirectory, this.#outboxDirectory, this.#runtime])
      mkdirSync(each, { recursive: true });
    this.credential = join(directory, 'host.json');
    this.centreCredential = join(directory, 'centre.json');
    const [own, central] = [this.credential, this.centreCredential];
    writeFileSync(own, credentialText(servers.host(hostName)), { mode: 0o600 });
    writeFileSync(central, credentialText(servers.centre), { mode: 0o600 });
    this.courier = new Program('courier-child.ts', own, instance);
    this.centre = new Program('centre-child.ts', central, this.storeDirectory, this.release);
    this.#outbox = this.#openOutbox();
    this.#agent = createServer((request, response) => void this.#answer(request, response));
  }

  get #outboxDirectory(): string {
    return join(this.#directory, 'fleet');
  }

  /** The directory of the centre. */
  get storeDirectory(): string {
    return join(this.#directory, 'centre');
  }

  #openOutbox(): Outbox {
    return new Outbox(this.#outboxDirectory, { warn: (text: string) => this.warnings.push(text) });
  }

  async start(): Promise<void> {
    this.#agent.listen(join(this.#runtime, 'control.sock'));
    await once(this.#agent, 'listening');
    this.centre.start();
    this.courier.start();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const url = new URL(request.url ?? '', 'http://agent');
    const end = (status: number, value: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.pathname === '/v1/fleet/outbox') {
      const [epoch, after] = ['epoch', 'after'].map((each) => url.searchParams.get(each));
      const query = { epoch: epoch ?? undefined, after: Number(after) };
      const answer = this.#outbox.answer(this.fleet, engine, query);
      if (!answer.ok) return end(answer.error.status, {});
      return end(200, answer.value);
    }
    if (request.method === 'POST') {
      const chunks = (await request.toArray()) as Buffer[];
      this.taken.push(Buffer.concat(chunks).toString('utf8'));
    }
    return end(200, this.fleet);
  }

  /** Makes so many events: the faults of each are its number. */
  makeEvents(count: number): void {
    this.#at += 100_000;
    const faults = Array.from({ length: count }, (_, each) => ({
      member: `u${1000 + each}` as Member,
      limit: 'memory.limit',
      severity: 'killed',
      count: this.made + each + 1,
      inferred: false,
    }));
    this.#outbox.see({ at: this.#at, seconds: 1, faults: faults as never, missing: [] });
    this.made += count;
  }

  /** The host begins anew, with another key and another epoch. */
  reinstall(): void {
    this.#outbox.stop(false);
    rmSync(this.#outboxDirectory, { recursive: true });
    mkdirSync(this.#outboxDirectory);
    this.#outbox = this.#openOutbox();
    this.made = 0;
  }

  /** Forgets the host, as `bulkhead fleet server forget` does. */
  forget(): void {
    using store = new CentreStore(this.storeDirectory);
    assert.ok(store.forget(hostName).ok);
  }

  known(): KnownHost | undefined {
    using store = new CentreStore(this.storeDirectory);
    const hosts = store.hosts();
    return hosts.ok ? hosts.value.find(({ host }) => host === hostName) : undefined;
  }

  status(): HostStatus | undefined {
    const status = parseStatus(this.known()?.status ?? '');
    return status.ok ? status.value : undefined;
  }

  /** Waits until the centre has counted all events, none of them lost; returns its mark. */
  async allCounted(): Promise<NonNullable<KnownHost['mark']>> {
    await eventually(
      `the centre has ${this.made} events`,
      () => this.known()?.mark?.stored === this.made,
      () => JSON.stringify(this.known()),
    );
    const { mark } = this.known() ?? {};
    assert.equal(mark?.lost, 0);
    return mark;
  }

  /** Waits until the centre has all events, and checks that it has each once; it keeps only the last of very many. */
  async allArrived(): Promise<void> {
    const mark = await this.allCounted();
    using db = new DatabaseSync(join(this.storeDirectory, 'centre.db'), { readOnly: true });
    const rows = db
      .prepare('SELECT number, body FROM events WHERE host = ? AND epoch = ? ORDER BY number')
      .all(hostName, mark.epoch);
    assert.equal(rows.length, this.made);
    for (const [index, { number, body }] of rows.entries()) {
      assert.equal(number, index + 1);
      assert.equal((JSON.parse(String(body)) as { faults: number }).faults, index + 1);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.courier.kill(), this.centre.kill()]);
    this.#agent.close();
    this.#agent.closeAllConnections();
    this.#outbox.stop(false);
    rmSync(this.#runtime, { recursive: true, force: true });
  }
}
