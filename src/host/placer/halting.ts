/**
 * Decides which tenants to stop if processes start too fast to be followed, and when to stop none.
 *
 * It stops tenants with a process seen outside since all were last known to be inside. It also stops tenants with a
 * process that changed its uid and exited before it could be inspected. It is unknown where that process was: if the
 * tenant then had no process outside, it is spared for a while, longer each time.
 */
import { Halt, type HaltResult } from './halt.ts';
import { HaltRecord } from './halt-record.ts';
import type { PidHistory } from './pid-history.ts';
import type { Placer } from './placer.ts';
import { Resume } from './resume.ts';
import { Suspects } from './suspects.ts';
import type { Look } from './sweep.ts';

/** The maximum number of tenants stopped together; others wait for the next time. */
const tenantsMax = 256;
/** Samples to find out which tenants are forking: how often, and how many of the latest pids. */
const glances = { count: 40, pids: 32 };
const spareMilliseconds = { first: 1_000, max: 60_000 };

interface Spared {
  readonly until: number;
  readonly milliseconds: number;
}

export class Halting {
  readonly #clock: PidHistory;
  readonly #record: HaltRecord;
  readonly #resume: Resume;
  readonly #suspects = new Suspects();
  readonly #spared = new Map<number, Spared>();
  #halt: Halt | undefined;

  /** Continues processes that an earlier placer stopped and did not continue. */
  constructor(clock: PidHistory, file: string | undefined) {
    this.#clock = clock;
    this.#record = new HaltRecord(file);
    this.#resume = new Resume(this.#record);
    this.#resume.step(Infinity);
  }

  get pending(): boolean {
    return this.#halt !== undefined;
  }

  /** Notes that a tenant's process was visited; `uid` is its real one. */
  seen(pid: number, tenant: number, uid: number): void {
    this.#halt?.seen(pid, tenant, uid);
  }

  /** Notes a process outside. `look`: the pass that found it, if it searches for forked processes. */
  outside(tenant: number, pid: number, look: Look | undefined): void {
    if (this.#halt?.outside(tenant) !== true) this.#suspects.outside(tenant, pid, look);
  }

  /** Notes that it was outside because it has only just changed its uid. */
  changed(pid: number): void {
    this.#suspects.changed(pid);
  }

  /** Whether a tenant has had more children outside than a cooperative one would. */
  get isResisted(): boolean {
    return this.#suspects.isResisted;
  }

  /** Notes that every process forked outside has been moved. */
  followed(): void {
    this.#suspects.followed();
  }

  gone(tenant: number): void {
    this.#suspects.gone(tenant);
  }

  /** Notes that no process is left outside. */
  settle(): void {
    this.#suspects.clear();
  }

  /** Begins a halt; returns false if the tenant is unknown. */
  begin(placer: Placer, place: (pid: number) => unknown): boolean {
    const { seen, unseen } = this.#suspects;
    if (seen.size === 0) this.#glance(place);
    const now = performance.now();
    const gone = [...unseen].filter((each) => (this.#spared.get(each)?.until ?? 0) < now);
    const tenants = new Set([...seen, ...gone].slice(0, tenantsMax));
    this.settle();
    if (tenants.size === 0) return false;
    const [clock, record, resume] = [this.#clock, this.#record, this.#resume];
    this.#halt = new Halt(tenants, { placer, clock, record, resume });
    return true;
  }

  /** Samples the latest pids, which a process that forks without end has. */
  #glance(place: (pid: number) => unknown): void {
    for (let count = 0; count < glances.count && this.#suspects.seen.size === 0; count++) {
      let pid = this.#clock.last();
      for (let back = 0; back < glances.pids; back++) {
        place(pid);
        pid = this.#clock.previous(pid);
      }
    }
  }

  /** Continues for a few milliseconds; returns the result once the tenants have been continued. */
  step(milliseconds: number): HaltResult | undefined {
    const result = this.#halt?.step(milliseconds);
    if (result === undefined) return undefined;
    this.#halt = undefined;
    for (const tenant of result.tenants) {
      if (result.moved > 0) this.#spared.delete(tenant);
      else this.#spare(tenant);
    }
    return result;
  }

  /** The time of the next check for processes left stopped, on the clock of `performance.now()`. */
  get resumeAt(): number {
    return this.#halt === undefined ? this.#resume.at : Infinity;
  }

  resume(milliseconds: number): void {
    if (this.#halt === undefined) this.#resume.step(milliseconds);
  }

  #spare(tenant: number): void {
    const before = this.#spared.get(tenant)?.milliseconds ?? spareMilliseconds.first / 2;
    const milliseconds = Math.min(before * 2, spareMilliseconds.max);
    if (this.#spared.size >= tenantsMax) this.#spared.clear();
    this.#spared.set(tenant, { until: performance.now() + milliseconds, milliseconds });
  }
}
