/**
 * Enforces the policy's totals of reads and writes over all disks. The kernel caps each direction of each disk
 * separately, so after each tick the caps move towards those in use (`limits/shift.ts`).
 *
 * The kernel's files are the source of truth: caps are read before they are moved, so that writes of another process,
 * or a cgroup that was created again, are noticed. On exit the agent leaves equal caps behind, which never allow more
 * than the total.
 */
import type { Tree } from '../../host/driver.ts';
import type { CgroupFiles } from '../../host/cgroups/cgroup-files.ts';
import type { LimitValues } from '../../limits/limit.ts';
import {
  hasTotal,
  ioFilesOf,
  keepsLimits,
  lanesOf,
  restingIo,
  shareOf,
  totals,
  withLanes,
  type IoFiles,
  type IoNumbers,
  type Total,
} from '../../limits/io-caps.ts';
import { isShared, sum } from '../../limits/share.ts';
import { isWorthWriting, shiftCaps, type TickLength } from '../../limits/shift.ts';
import type { Reading } from '../../usage/measure.ts';
import type { Member } from '../../usage/member.ts';
import type { MemberIndex } from './member-index.ts';

/** The maximum number of members whose caps are adjusted in one tick; the rest follow in the next. */
const perTickMax = 2000;

interface Tracked {
  readonly cgroup: string;
  readonly values: LimitValues;
  /** Counts at the last sample; absent before the first. */
  counts: IoNumbers | undefined;
  /** The time of that sample: monotonic, in milliseconds. */
  at: number;
  /** Whether the caps are equal. */
  resting: boolean;
  /** The excess over each total that still has to be compensated. */
  readonly debts: Partial<Record<Total['total'], number>>;
}

export class IoShifter implements Disposable {
  readonly #files: CgroupFiles | undefined;
  readonly #io: IoFiles;
  readonly #version: 1 | 2;
  readonly #devices: readonly string[];
  #tracked = new Map<Member, Tracked>();
  /** Writes since it started, for benchmarks. */
  writes = 0;

  constructor({ hierarchies, version }: Tree, devices: readonly string[]) {
    this.#files = hierarchies.find(({ controllers }) => controllers.has('io'))?.files;
    this.#io = ioFilesOf(version);
    this.#version = version;
    this.#devices = devices;
  }

  /** Takes over the members: those with unchanged limits keep their caps; all others start with equal ones. */
  follow(memberIndex: MemberIndex): void {
    const tracked = new Map<Member, Tracked>();
    for (const [member, { cgroup, values, who, parts }] of memberIndex.entries) {
      if (!hasTotal(values, this.#devices.length)) continue;
      // cgroup v1 sums neither the I/O of a reseller's tenants, nor the I/O of a tenant's parts.
      if (this.#version === 1 && (who.kind !== 'tenant' || parts.length > 0)) continue;
      const known = this.#tracked.get(member);
      const same = known?.cgroup === cgroup && sameTotals(known.values, values);
      tracked.set(
        member,
        same ? known : { cgroup, values, counts: undefined, at: 0, resting: true, debts: {} },
      );
    }
    this.#tracked = tracked;
  }

  /** Moves the caps; `monotonic` in milliseconds, `interval` in seconds. */
  shift(readings: readonly Reading[], monotonic: number, interval: number): void {
    if (this.#tracked.size === 0) return;
    let left = perTickMax;
    for (const { member, before, now } of readings) {
      const tracked = this.#tracked.get(member);
      if (tracked === undefined) continue;
      const isNew = tracked.counts === undefined;
      if (!isNew && tracked.resting && before !== undefined && sameIo(before, now)) {
        tracked.at = monotonic;
        continue;
      }
      if (left-- <= 0) continue;
      this.#adjust(tracked, { seconds: (monotonic - tracked.at) / 1000, interval });
      tracked.at = monotonic;
    }
  }

  #adjust(tracked: Tracked, length: TickLength): void {
    const read = (file: string) => this.#files?.read(tracked.cgroup, file);
    const before = tracked.counts;
    const counts = this.#io.counts(read, this.#devices);
    const caps = this.#io.caps(read, this.#devices);
    tracked.counts = counts;
    if (counts === undefined || caps === undefined) return;
    const resting = restingIo(tracked.values, this.#devices.length);
    const isOurs = before !== undefined && keepsLimits(tracked.values, caps, this.#devices.length);
    const next =
      isOurs && before !== undefined ? this.#next(tracked, caps, before, counts, length) : resting;
    this.#write(tracked, caps, next);
    tracked.resting = sameCaps(next, resting);
  }

  #next(
    tracked: Tracked,
    caps: IoNumbers,
    before: IoNumbers,
    counts: IoNumbers,
    length: TickLength,
  ): IoNumbers {
    let next = caps;
    for (const each of totals) {
      const share = shareOf(tracked.values, each, this.#devices.length);
      if (!isShared(share)) continue;
      const now = lanesOf(caps, each);
      const used = grown(before, counts, each);
      const operations = grown(before, counts, totals[1]);
      const lanes = now.map((cap, lane) => ({
        cap,
        used: used[lane] ?? 0,
        grain: (used[lane] ?? 0) / Math.max(1, operations[lane] ?? 0),
      }));
      const shifted = shiftCaps(share, lanes, length, tracked.debts[each.total] ?? 0);
      tracked.debts[each.total] = shifted.debt;
      const isIdle = sum(used) === 0;
      if (isIdle || isWorthWriting(share, now, shifted.caps)) {
        next = withLanes(next, each, shifted.caps);
      }
    }
    return next;
  }

  /** Writes the caps, lowered ones first, so that the sum never exceeds the total. */
  #write(tracked: Tracked, before: IoNumbers, after: IoNumbers): void {
    const old = this.#io.capTexts(before, this.#devices).map(({ value }) => value);
    const texts = this.#io.capTexts(after, this.#devices);
    const rise = ({ name, device }: (typeof texts)[number]) => {
      const disk = this.#devices.indexOf(device);
      return (after[name][disk] ?? 0) - (before[name][disk] ?? 0);
    };
    const changed = texts.filter(({ value }, index) => value !== old[index]);
    for (const text of changed.toSorted((a, b) => rise(a) - rise(b))) {
      this.writes++;
      this.#files?.write(tracked.cgroup, text.file, `${text.device} ${text.value}`);
    }
  }

  [Symbol.dispose](): void {
    for (const tracked of this.#tracked.values()) {
      if (tracked.resting) continue;
      const caps = this.#io.caps((file) => this.#files?.read(tracked.cgroup, file), this.#devices);
      if (caps !== undefined)
        this.#write(tracked, caps, restingIo(tracked.values, this.#devices.length));
    }
    this.#tracked.clear();
  }
}

/** Returns the growth of each count; a cgroup that was created again counts from zero. */
function grown(before: IoNumbers, now: IoNumbers, total: Total): readonly number[] {
  const old = lanesOf(before, total);
  return lanesOf(now, total).map((count, lane) => Math.max(0, count - (old[lane] ?? 0)));
}

const counted = ['readBytes', 'writeBytes', 'reads', 'writes'] as const;
const sameIo = (a: Reading['now'], b: Reading['now']) =>
  a === b || counted.every((key) => a[key] === b[key]);

const limiting = ['read', 'write', 'total', 'reads', 'writes', 'operations'] as const;
const sameTotals = (a: LimitValues, b: LimitValues) =>
  limiting.every((name) => a[`io.${name}`] === b[`io.${name}`]);

const sameCaps = (a: IoNumbers, b: IoNumbers) =>
  totals.every((each) => {
    const other = lanesOf(b, each);
    return lanesOf(a, each).every((cap, lane) => cap === other[lane]);
  });
