/**
 * Reads the counters of all members, once per tick, through descriptors that stay open.
 *
 * A missing cgroup is looked up again at every tick, and reported so that it can be created.
 */
import { ensureOpenFiles } from '../../sys/open-files.ts';
import type { Tree } from '../../host/driver.ts';
import { UsageReader } from '../../host/cgroups/usage-reader.ts';
import type { Counters } from '../../limits/limit.ts';
import { sameCounters } from '../../limits/limits.ts';
import type { Member } from '../../usage/member.ts';
import type { Reading } from '../../usage/measure.ts';
import type { Entry, MemberIndex } from './member-index.ts';

interface MeterSample {
  readonly readings: readonly Reading[];
  /** Cgroups that should exist and do not. */
  readonly missing: readonly string[];
}

export class Meter implements Disposable {
  readonly #reader: UsageReader;
  readonly #version: 1 | 2;
  #max = 0;
  readonly #last = new Map<Member, Readonly<Counters>>();
  readonly #slow = new Map<Member, Readonly<Counters>>();
  /** In reading order: the tenants of a reseller before the reseller. */
  #order: readonly Entry[] = [];

  constructor({ hierarchies, version }: Tree, memberIndex: MemberIndex) {
    this.#reader = new UsageReader(hierarchies, version);
    this.#version = version;
    this.follow(memberIndex);
  }

  /** How many are measured by the slower method, because file descriptors ran out. */
  get slow(): number {
    return Math.max(0, this.#order.length - this.#max);
  }

  follow(memberIndex: MemberIndex): void {
    const files = this.#reader.filesFor(memberIndex.entries.size);
    this.#max = this.#reader.cgroupsMax(ensureOpenFiles(files));
    const entries = [...memberIndex.entries.values()];
    const tenants = entries.filter((each) => each.who.kind === 'tenant');
    const resellers = entries.filter((each) => each.who.kind === 'reseller');
    this.#order = [...tenants, ...resellers];
    const cgroups = new Set(this.#order.slice(0, this.#max).map((each) => each.cgroup));
    for (const cgroup of this.#reader.cgroups)
      if (!cgroups.has(cgroup)) this.#reader.forget(cgroup);
    for (const member of this.#last.keys()) {
      if (!memberIndex.entries.has(member)) this.#last.delete(member);
    }
    this.#slow.clear();
  }

  sample(): MeterSample {
    const readings: Reading[] = [];
    const missing: string[] = [];
    const sums = new Map<number, Sums>();
    for (const [index, entry] of this.#order.entries()) {
      const counters = this.#read(entry, index < this.#max);
      if (counters === undefined) {
        missing.push(entry.cgroup);
        this.#last.delete(entry.who.member);
        continue;
      }
      readings.push(this.#reading(entry, this.#addedUp(entry, counters, sums)));
    }
    return { readings, missing };
  }

  #read({ cgroup, who }: Entry, kept: boolean): Readonly<Counters> | undefined {
    if (!kept) return this.#readSlowly(cgroup, who.member);
    const counters = this.#reader.read(cgroup);
    if (counters !== undefined) return counters;
    return this.#reader.track(cgroup) ? this.#reader.read(cgroup) : undefined;
  }

  /** Earlier readings, apart from `#last`, which contains sums. */
  #readSlowly(cgroup: string, member: Member): Readonly<Counters> | undefined {
    const counters = this.#reader.readOnce(cgroup, this.#slow.get(member));
    if (counters === undefined) this.#slow.delete(member);
    else this.#slow.set(member, counters);
    return counters;
  }

  #reading({ who: { member } }: Entry, now: Readonly<Counters>): Reading {
    const before = this.#last.get(member);
    this.#last.set(member, now);
    return { member, before, now };
  }

  /**
   * The kernel lists the processes of a cgroup without those of its descendants, and v1 does not sum
   * the I/O of a reseller's tenants either.
   */
  #addedUp(
    { who, resellerUid }: Entry,
    counters: Readonly<Counters>,
    sums: Map<number, Sums>,
  ): Readonly<Counters> {
    if (who.kind === 'reseller') {
      const sum = sums.get(who.uid);
      return sum === undefined ? counters : this.#withSum(who.member, counters, sum);
    }
    if (resellerUid !== undefined) addTo(sums, resellerUid, counters);
    return counters;
  }

  /** The same object as before if nothing has changed, which marks an idle member. */
  #withSum(member: Member, counters: Readonly<Counters>, sum: Sums): Readonly<Counters> {
    const { processes, ...io } = sum;
    const now = { ...counters, processes, ...(this.#version === 1 ? io : {}) };
    const last = this.#last.get(member);
    return last !== undefined && sameCounters(last, now) ? last : now;
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }
}

const summed = ['processes', 'readBytes', 'writeBytes', 'reads', 'writes'] as const;
type Sums = Pick<Counters, (typeof summed)[number]>;

function addTo(sums: Map<number, Sums>, uid: number, counters: Readonly<Counters>): void {
  let sum = sums.get(uid);
  if (sum === undefined) {
    sum = { processes: 0, readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
    sums.set(uid, sum);
  }
  for (const key of summed) sum[key] += counters[key];
}
