/**
 * Reads the counters of all members, once per tick, through descriptors that stay open.
 *
 * A missing cgroup is looked up again at every tick, and reported so that it can be created.
 */
import { ensureOpenFiles } from '../../sys/open-files.ts';
import type { SliceTree, Tree } from '../../host/driver.ts';
import { sliceOwner, sliceTenant, userSlice } from '../../plan/slice.ts';
import { parentOf } from '../../plan/wanted.ts';
import { UsageReader } from '../../host/cgroups/usage-reader.ts';
import type { Hierarchy } from '../../host/cgroups/hierarchies.ts';
import { unlimited } from '../../../packages/base/quantity.ts';
import type { Counters, LimitValues } from '../../limits/limit.ts';
import { noCounters, sameCounters } from '../../limits/limits.ts';
import { resellerMember, tenantMember, type Member, type MemberKind } from '../../usage/member.ts';
import type { Reading } from '../../usage/measure.ts';
import type { MemberEntry, MemberIndex } from './member-index.ts';
import { hitKeys, SliceHits, wentBack } from './slice-hits.ts';

interface MeterSample {
  readonly readings: readonly Reading[];
  /** Cgroups that should exist and do not. */
  readonly missing: readonly string[];
}

/** A cgroup that is read at each tick. */
interface Metered {
  readonly cgroup: string;
  /** Absent for the part of a tenant that is not a site. */
  readonly entry: MemberEntry | undefined;
  /** The member to whose numbers its own are added, and how. */
  readonly within: Within | undefined;
}

interface Within {
  readonly member: Member;
  /** Absent between a tenant and its reseller. */
  readonly part?: Pick<MemberEntry, 'values'>;
  /** Present for a slice inside its tenant's slice; its processes are listed with the tenant. */
  readonly isSlice?: true;
}

export class Meter implements Disposable {
  readonly #reader: UsageReader;
  readonly #version: 1 | 2;
  readonly #hits: ReturnType<typeof hitsBelow>;
  readonly #slices: SliceTree | undefined;
  /** Counters of slices: as they were read, and with the processes of all cgroups in them. */
  readonly #inSlices = new Map<string, SliceReading>();
  readonly #sliceHits = new SliceHits();
  /** Slices in which nothing ran at the reading before. */
  readonly #absent = new Set<string>();
  #max = 0;
  readonly #last = new Map<Member, LastReading>();
  /** Earlier readings by cgroup, apart from `#last`, which contains sums. */
  readonly #slow = new Map<string, Readonly<Counters>>();
  /** The parts of each tenant at the last reading: numbers can be subtracted only if they were subtracted before. */
  readonly #parts = new Map<Member, string>();
  /** Members in reading order: sites before their tenants, tenants before their resellers. */
  #order: readonly Metered[] = [];

  constructor({ hierarchies, version, slices }: Tree, memberIndex: MemberIndex) {
    this.#reader = new UsageReader(hierarchies, version);
    this.#version = version;
    this.#hits = hitsBelow(hierarchies, version);
    this.#slices = slices;
    this.follow(memberIndex);
  }

  /** Returns the number of members that are measured by the slower method, because file descriptors ran out. */
  get slow(): number {
    return Math.max(0, this.#order.length - this.#max);
  }

  follow(memberIndex: MemberIndex): void {
    this.#order = readingOrder([...memberIndex.entries.values()], this.#slices);
    const files = this.#reader.filesFor(this.#order.length);
    this.#max = this.#reader.cgroupsMax(ensureOpenFiles(files));
    const cgroups = new Set(this.#order.slice(0, this.#max).map((each) => each.cgroup));
    for (const cgroup of this.#reader.cgroups)
      if (!cgroups.has(cgroup)) this.#reader.forget(cgroup);
    for (const member of this.#last.keys()) {
      if (!memberIndex.entries.has(member)) this.#last.delete(member);
    }
    for (const member of this.#parts.keys()) {
      if (!memberIndex.entries.has(member)) this.#parts.delete(member);
    }
    this.#slow.clear();
    this.#inSlices.clear();
    for (const cgroup of this.#absent) if (!cgroups.has(cgroup)) this.#absent.delete(cgroup);
    for (const cgroup of this.#sliceHits.cgroups)
      if (!cgroups.has(cgroup)) this.#sliceHits.forget(cgroup);
  }

  sample(): MeterSample {
    const readings: Reading[] = [];
    const missing: string[] = [];
    const sums = new Map<Member, Sums>();
    for (const [index, metered] of this.#order.entries()) {
      const { cgroup, entry, within } = metered;
      const kept = index < this.#max;
      const slices = this.#slices;
      const counters =
        slices === undefined || sliceOwner(cgroup) === undefined
          ? this.#read(cgroup, kept)
          : this.#readSlice(cgroup, kept, slices);
      if (counters === undefined) {
        missing.push(cgroup);
        if (entry !== undefined) this.#last.delete(entry.who.member);
        continue;
      }
      const all = entry === undefined ? counters : this.#withSum(entry, counters, sums);
      if (within !== undefined) this.#addTo(sums, within, metered, { all, counters });
      if (entry !== undefined) readings.push(this.#reading(entry, all));
    }
    return { readings, missing };
  }

  #read(cgroup: string, kept: boolean, isNew = false): Readonly<Counters> | undefined {
    if (!kept) return this.#readSlowly(cgroup);
    const counters = this.#reader.read(cgroup);
    if (counters !== undefined) return counters;
    return this.#reader.track(cgroup, isNew) ? this.#reader.read(cgroup) : undefined;
  }

  /**
   * Reads the counters of a slice. A slice in which nothing runs has no cgroup; one check per tick finds out when it
   * has one again.
   */
  #readSlice(cgroup: string, kept: boolean, slices: SliceTree): Readonly<Counters> {
    const known = this.#inSlices.get(cgroup);
    const exists = known !== undefined || slices.hasCgroup(cgroup);
    const read = exists ? this.#read(cgroup, kept, this.#absent.delete(cgroup)) : undefined;
    if (read === undefined) {
      this.#absent.add(cgroup);
      this.#inSlices.delete(cgroup);
      this.#sliceHits.startOver(cgroup);
      return noCounters;
    }
    if (known?.read === read) return known.counters;
    if (known !== undefined && wentBack(known.read, read)) this.#sliceHits.startOver(cgroup);
    const processes = read.threads === 0 ? 0 : slices.processes(cgroup).length;
    const counters = { ...read, processes };
    this.#inSlices.set(cgroup, { read, counters });
    return counters;
  }

  #readSlowly(cgroup: string): Readonly<Counters> | undefined {
    const counters = this.#reader.readOnce(cgroup, this.#slow.get(cgroup));
    if (counters === undefined) this.#slow.delete(cgroup);
    else this.#slow.set(cgroup, counters);
    return counters;
  }

  /** Builds a reading with a time of its own: on a busy host, others run between two readings of one tick. */
  #reading({ who: { member } }: MemberEntry, now: Readonly<Counters>): Reading {
    const last = this.#last.get(member);
    const at = performance.now();
    this.#last.set(member, { counters: now, at });
    if (last === undefined) return { member, before: undefined, now };
    return { member, before: last.counters, now, seconds: (at - last.at) / 1000 };
  }

  /**
   * Adds the numbers of descendants. The kernel lists the processes of a cgroup without its descendants', and v1 does
   * not sum their I/O either. Returns the same object as before if nothing has changed, which marks an idle member.
   */
  #withSum(entry: MemberEntry, counters: Readonly<Counters>, sums: ReadonlyMap<Member, Sums>) {
    const { member, kind } = entry.who;
    const sum = sums.get(member);
    if (kind === 'tenant') this.#startOver(member, sum?.parts ?? '');
    const own = kind === 'site' ? withoutForeignHits(entry, counters) : counters;
    const now = sum === undefined ? own : added(own, sum, this.#version);
    if (now === counters) return counters;
    const last = this.#last.get(member)?.counters;
    return last !== undefined && sameCounters(last, now) ? last : now;
  }

  /** Starts over if the parts differ from before: the numbers cannot be compared then. */
  #startOver(member: Member, parts: string): void {
    if ((this.#parts.get(member) ?? '') === parts) return;
    this.#last.delete(member);
    if (parts === '') this.#parts.delete(member);
    else this.#parts.set(member, parts);
  }

  #addTo(
    sums: Map<Member, Sums>,
    { member, part, isSlice }: Within,
    { cgroup }: Metered,
    { all, counters }: Readonly<Record<'all' | 'counters', Readonly<Counters>>>,
  ): void {
    let sum = sums.get(member);
    if (sum === undefined) sums.set(member, (sum = { ...noSums }));
    if (isSlice !== true) for (const key of summed) sum[key] += all[key];
    if (part === undefined) return;
    sum.parts += `${cgroup}\n`;
    const hits = isSlice === true ? this.#sliceHits.add(cgroup, counters) : counters;
    for (const key of hitKeys) sum[key] += this.#hits(key, part.values, hits);
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }
}

interface LastReading {
  readonly counters: Readonly<Counters>;
  /** Monotonic, in milliseconds. */
  readonly at: number;
}

interface SliceReading {
  readonly read: Readonly<Counters>;
  readonly counters: Readonly<Counters>;
}

function readingOrder(
  entries: readonly MemberEntry[],
  slices: SliceTree | undefined,
): readonly Metered[] {
  const levels: Readonly<Record<MemberKind, Metered[]>> = { site: [], tenant: [], reseller: [] };
  for (const entry of entries) {
    const { kind, uid } = entry.who;
    const { cgroup } = entry;
    const isSlice = slices !== undefined && sliceOwner(cgroup) !== undefined;
    // This site's name is too long for a slice.
    if (slices !== undefined && !isSlice && sliceTenant(parentOf(cgroup)) !== undefined) continue;
    levels[kind].push({ cgroup, entry, within: withinOf(entry, isSlice) });
    const [main] = entry.parts;
    if (main === undefined || isSlice) continue;
    const within = { member: tenantMember(uid), part: { values: {} } };
    levels.site.push({ cgroup: main, entry: undefined, within });
  }
  return [...levels.site, ...levels.tenant, ...levels.reseller];
}

function withinOf({ who, resellerUid, values }: MemberEntry, isSlice: boolean): Within | undefined {
  if (who.kind === 'site') {
    const within = { member: tenantMember(who.uid), part: { values } };
    return isSlice ? { ...within, isSlice } : within;
  }
  return who.kind === 'reseller' || resellerUid === undefined
    ? undefined
    : { member: resellerMember(resellerUid) };
}

const summed = ['processes', 'readBytes', 'writeBytes', 'reads', 'writes'] as const;

const limitOfHits = {
  memoryHits: 'memory.limit',
  oomKills: 'memory.limit',
  forksRefused: 'processes.limit',
} as const;
type HitKey = keyof typeof limitOfHits;

type Sums = { -readonly [Key in (typeof summed)[number] | HitKey]: number } & {
  /** The cgroups of the parts of a tenant. */
  parts: string;
};
const noSums: Sums = {
  processes: 0,
  readBytes: 0,
  writeBytes: 0,
  reads: 0,
  writes: 0,
  memoryHits: 0,
  oomKills: 0,
  forksRefused: 0,
  parts: '',
};

const isLimited = (values: LimitValues, key: HitKey) =>
  (values[limitOfHits[key]] ?? unlimited) !== unlimited;

/** Removes hits of limits that the site itself does not have: they hit its tenant's limit. */
function withoutForeignHits(
  { values }: MemberEntry,
  counters: Readonly<Counters>,
): Readonly<Counters> {
  const foreign = hitKeys.filter((key) => counters[key] !== 0 && !isLimited(values, key));
  if (foreign.length === 0) return counters;
  return { ...counters, ...Object.fromEntries(foreign.map((key) => [key, 0])) };
}

/**
 * Returns the function that computes what the hits of a part add to its tenant's. If the kernel has counted them there,
 * too, the hits of the part's own limit are subtracted. If it has not, all others are added. Sources: cgroup-v2.rst,
 * memory.events and pids.events (hierarchical since Linux 6.11).
 */
function hitsBelow(hierarchies: readonly Hierarchy[], version: 1 | 2) {
  const pids = hierarchies.find(({ controllers }) => controllers.has('pids'))?.files;
  let countsForks = version === 2 && pids?.fileNames()?.has(forksFile) === true;
  return (key: HitKey, values: LimitValues, counters: Readonly<Counters>): number => {
    if (counters[key] === 0) return 0;
    // With slices only, the kernel shows the file once one of them exists.
    if (version === 2) countsForks ||= pids?.readTop(`${userSlice}/${forksFile}`) !== undefined;
    const isCounted = key === 'forksRefused' ? countsForks : version === 2;
    if (isCounted) return isLimited(values, key) ? -counters[key] : 0;
    return isLimited(values, key) ? 0 : counters[key];
  };
}
const forksFile = 'pids.events.local';

function added(own: Readonly<Counters>, sum: Readonly<Sums>, version: 1 | 2): Readonly<Counters> {
  const now = { ...own, processes: own.processes + sum.processes };
  for (const key of hitKeys) now[key] = Math.max(0, own[key] + sum[key]);
  if (version === 2) return now;
  for (const key of summed) now[key] = own[key] + sum[key];
  return now;
}
