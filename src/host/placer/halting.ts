/**
 * Whom to stop when processes are started faster than they can be followed, and when to stop nobody.
 *
 * Stopped are the tenants of whom a process was seen outside since there was last nothing to look at, and those
 * of whom one changed its uid and was gone before it could be looked at. Of the latter it is not known where it
 * was: a tenant of whom then nobody was outside is spared for a while, and longer each time.
 */
import { Halt, type HaltResult } from './halt.ts';
import { HaltRecord } from './halt-record.ts';
import type { PidHistory } from './pid-history.ts';
import type { Placer } from './placer.ts';
import { Resume } from './resume.ts';

/** Tenants that are stopped together; more have to wait for the next time. */
const tenantsMax = 256;
const bornOutsideMax = 1_024;
/** A tenant with so many since there was last nothing to look at does not just log in. */
const resistingMin = 16;
/** To find out who is forking: as many glances at as many of the latest pids. */
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
  readonly #outside = new Set<number>();
  /** Processes that were seen outside without having changed their uid: whose they are. */
  readonly #bornOutside = new Map<number, number>();
  readonly #gone = new Set<number>();
  readonly #spared = new Map<number, Spared>();
  #halt: Halt | undefined;

  /** Continues whom an earlier placer stopped and did not come to continue. */
  constructor(clock: PidHistory, file: string | undefined) {
    this.#clock = clock;
    this.#record = new HaltRecord(file);
    this.#resume = new Resume(this.#record);
    this.#resume.step(Infinity);
  }

  get pending(): boolean {
    return this.#halt !== undefined;
  }

  /** A process of a tenant came by; `uid` is its real one. */
  seen(pid: number, tenant: number, uid: number): void {
    this.#halt?.seen(pid, tenant, uid);
  }

  outside(tenant: number, pid: number): void {
    this.#halt?.outside(tenant);
    if (this.#outside.size < tenantsMax) this.#outside.add(tenant);
    if (this.#bornOutside.size < bornOutsideMax) this.#bornOutside.set(pid, tenant);
  }

  /** It was outside because it has only just changed its uid. */
  changed(pid: number): void {
    this.#bornOutside.delete(pid);
  }

  /** Whether somebody has had more children outside than one that does not resist. */
  get isResisted(): boolean {
    const tenants = Map.groupBy(this.#bornOutside.values(), (tenant) => tenant);
    return tenants.values().some((each) => each.length >= resistingMin);
  }

  gone(tenant: number): void {
    if (this.#gone.size < tenantsMax) this.#gone.add(tenant);
  }

  /** There is nothing left to look at: nobody who was outside has left anybody there. */
  settle(): void {
    this.#outside.clear();
    this.#bornOutside.clear();
    this.#gone.clear();
  }

  /** False where it is not known who it is. */
  begin(placer: Placer, place: (pid: number) => unknown): boolean {
    if (this.#outside.size === 0) this.#glance(place);
    const now = performance.now();
    const gone = [...this.#gone].filter((each) => (this.#spared.get(each)?.until ?? 0) < now);
    const tenants = new Set([...this.#outside, ...gone].slice(0, tenantsMax));
    this.settle();
    if (tenants.size === 0) return false;
    const [clock, record, resume] = [this.#clock, this.#record, this.#resume];
    this.#halt = new Halt(tenants, { placer, clock, record, resume });
    return true;
  }

  /** Whoever forks without end has the latest pids. */
  #glance(place: (pid: number) => unknown): void {
    for (let count = 0; count < glances.count && this.#outside.size === 0; count++) {
      let pid = this.#clock.last();
      for (let back = 0; back < glances.pids; back++) {
        place(pid);
        pid = this.#clock.previous(pid);
      }
    }
  }

  /** Goes on for a few milliseconds; answers what came of it once they go on. */
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

  /** When to look again whether somebody is left stopped, on the clock of `performance.now()`. */
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
