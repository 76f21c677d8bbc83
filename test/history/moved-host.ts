/** A host with the history of a tenant, and the commands that take it to another one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { after } from 'node:test';
import { newState } from '../../src/fleet/core/states.ts';
import { HostStore } from '../../src/fleet/io/host-store.ts';
import { fleetDirectoryOf, pathsOf, type Paths } from '../../src/host/paths.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { readMoved } from '../../src/store/moved/moved-file.ts';
import type { MovedHistory } from '../../src/store/moved/moved-record.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { tenantMember } from '../../src/usage/member.ts';
import { program } from '../agent/running-agent.ts';
import { fault, incident, process as processOf, snapshot } from '../store/event-samples.ts';
import { hour, tickOf, value } from '../store/samples.ts';

/** The end of the last measured hour. */
export const end = Math.floor(Date.now() / hour) * hour;
export const hoursOfUse = 5;
export const begin = end - hoursOfUse * hour;

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class MovedHost {
  readonly paths: Paths;
  readonly history: string;

  constructor(instance: string) {
    this.paths = pathsOf(instance);
    this.history = `${this.paths.state}/history`;
    this.remove();
    mkdirSync(this.paths.state, { recursive: true });
    after(() => this.remove());
  }

  remove(): void {
    for (const each of [this.paths.state, this.paths.runtime])
      rmSync(each, { recursive: true, force: true });
  }

  /** Makes it a host of a fleet. */
  join(fleet: string, host: string): void {
    const store = new HostStore(fleetDirectoryOf(this.paths));
    assert.ok(store.create().ok);
    assert.ok(store.writeState(newState(fleet, host, { boot: 'a', uptime: 1, at: 1e12 })).ok);
  }

  /** Records the tenant's use in these hours, with faults and incidents. */
  record(uid: number, name: string, since = begin): void {
    const member = tenantMember(uid);
    using metrics = new MetricsStore(this.history);
    for (let at = begin; at < end; at += hour / 4) {
      const use = { cpu: 0.25 + (at - begin) / hour, memory: 3e6, threads: 3, processes: 3 };
      value(metrics.add(tickOf(at + hour / 4, { [member]: use, u9: { cpu: 3 } }, 900)));
    }
    using events = this.#events(uid, name, since);
    value(events.addFaults(begin + hour, [fault(member, 7)]));
    for (const faults of [3, 4]) {
      const times = { begin: begin + hour, end: begin + hour + 60_000 };
      const id = value(
        events.open(incident({ member, name, faults, limit: 'cpu.limit', ...times })),
      );
      value(events.addSnapshot(id, snapshot(begin + hour, [processOf(7, 'php secret.php')])));
    }
    // The clock was ahead once: what it left behind stays here.
    const ahead = { begin: end + 30 * hour, end: end + 30 * hour };
    value(events.addFaults(ahead.end, [fault(member, 5)]));
    value(events.open(incident({ member, name, limit: 'cpu.limit', ...ahead })));
  }

  /** Makes an account known, which has used nothing yet. */
  know(uid: number, name: string, since = end): void {
    this.#events(uid, name, since)[Symbol.dispose]();
  }

  #events(uid: number, name: string, since: number): EventStore {
    const member = tenantMember(uid);
    const events = new EventStore(this.history);
    const kept = new Map([[member, { name, home: `/home/${name}`, since }]]);
    value(events.keepTenancies({ kept, begun: new Set([member]), ended: [] }));
    return events;
  }

  moved(uid: number): MovedHistory | undefined {
    return value(readMoved(this.history, tenantMember(uid)));
  }

  run(...args: readonly string[]): Ran {
    const command = ['--instance', this.paths.instance, ...args];
    return spawnSync(program, command, {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1' },
    });
  }

  done(...args: readonly string[]): string {
    const { status, stdout, stderr } = this.run(...args);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  refused(...args: readonly string[]): string {
    const { status, stderr } = this.run(...args);
    assert.equal(status, 1, stderr);
    assert.doesNotMatch(stderr, /^\s+at /m);
    return stderr;
  }
}
