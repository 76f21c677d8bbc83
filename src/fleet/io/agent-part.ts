/**
 * The agent's part that keeps this host in its fleet. A host in no fleet loads nothing of it but this file.
 */
import { existsSync } from 'node:fs';
import type { FleetAgent, FleetEngine } from '../../agent/fleet/fleet-agent.ts';
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { fail } from '../../../packages/base/result.ts';
import {
  centreDirectoryOf,
  centreSnapshot,
  fleetDirectoryOf,
  type Paths,
} from '../../host/paths.ts';
import type { FleetHost } from './fleet-host.ts';
import type { FleetSettings } from './release-taker.ts';
import type { SnapshotReader } from './server/snapshot-reader.ts';

export function fleetPart(paths: Paths, log: Log): AgentPart {
  const fleet = new FleetOnDemand(paths, log);
  return {
    fleet,
    adopt: ({ fleet: settings }) => fleet.adopt(settings),
    takeAlarms: () => fleet.host?.takeAlarms() ?? [],
    [Symbol.asyncDispose]: () => {
      fleet.host?.stop();
      return Promise.resolve();
    },
  };
}

/** The host in its fleet, once it is in one. */
class FleetOnDemand implements FleetAgent {
  readonly #paths: Paths;
  readonly #log: Log;
  #engine: FleetEngine | undefined;
  #settings: FleetSettings | undefined;
  #host: FleetHost | undefined;
  #snapshot: SnapshotReader | undefined;
  #isLoading = false;
  #isBegun = false;
  #hasAdopted = false;

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
  }

  get host(): FleetHost | undefined {
    return this.#host;
  }

  async begin(engine: FleetEngine): Promise<void> {
    this.#engine = engine;
    if (existsSync(`${fleetDirectoryOf(this.#paths)}/state.json`)) await this.#load();
  }

  async #load(): Promise<void> {
    if (this.#host !== undefined || this.#isLoading || this.#engine === undefined) return;
    this.#isLoading = true;
    const { FleetHost } = await import('./fleet-host.ts');
    const host = new FleetHost(this.#paths, this.#log, fleetDirectoryOf(this.#paths));
    host.begin(this.#engine);
    // Before the first policy is read, nobody knows whether the host is still a member.
    if (this.#hasAdopted) host.adopt(this.#settings);
    if (this.#isBegun) host.begun();
    this.#host = host;
  }

  begun(): void {
    this.#isBegun = true;
    this.#host?.begun();
  }

  adopt(settings: FleetSettings | undefined): void {
    this.#hasAdopted = true;
    this.#settings = settings;
    if (this.#host !== undefined) this.#host.adopt(settings);
    else if (settings !== undefined) void this.#load();
  }

  readonly see: FleetAgent['see'] = (seen) => this.#host?.see(seen);
  readonly status: FleetAgent['status'] = () =>
    this.#host?.status() ?? { state: 'none', problems: [] };
  readonly isCentre: FleetAgent['isCentre'] = () =>
    existsSync(`${centreDirectoryOf(this.#paths)}/${centreSnapshot}`);

  async hosts(): ReturnType<FleetAgent['hosts']> {
    if (!this.isCentre()) return { isCentre: false, count: 0, hosts: [], problems: [] };
    const { SnapshotReader } = await import('./server/snapshot-reader.ts');
    this.#snapshot ??= new SnapshotReader(centreDirectoryOf(this.#paths));
    return this.#snapshot.hosts(Date.now());
  }

  readonly outbox: FleetAgent['outbox'] = (epoch, after) =>
    this.#host?.outbox(epoch, after) ?? none;
  readonly answer: FleetAgent['answer'] = (question) =>
    this.#host?.answer(question) ?? Promise.resolve(none);
  readonly admitCourier: FleetAgent['admitCourier'] = () => this.#host?.admitCourier() ?? 0;
  readonly take: FleetAgent['take'] = (bundle, by) =>
    this.#host?.take(bundle, by) ?? Promise.resolve(none);
  readonly follow: FleetAgent['follow'] = (record, by) => this.#host?.follow(record, by) ?? none;
  readonly keep: FleetAgent['keep'] = () => this.#host?.keep() ?? none;
  readonly back: FleetAgent['back'] = () => this.#host?.back() ?? none;
  readonly hold: FleetAgent['hold'] = (seconds, reason) =>
    this.#host?.hold(seconds, reason) ?? none;
  readonly resume: FleetAgent['resume'] = () => this.#host?.resume() ?? none;
}

const none = fail({
  status: 404,
  action: 'change the fleet',
  reason: 'this host is in no fleet',
  hint: 'run "bulkhead fleet join" first',
} as const);
