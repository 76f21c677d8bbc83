/** The latest tick, and the faults of the last minutes: the data of `top` and of the metrics. */
import type { Counters, LimitKey, Severity } from '../../limits/limit.ts';
import type { Fault } from '../../usage/fault.ts';
import type { Moment } from '../../usage/incident-log.ts';
import type { Reading } from '../../usage/measure.ts';
import type { Member } from '../../usage/member.ts';
import { metricKeys, type KernelKey, type Usage } from '../../usage/metrics.ts';
import { isPartKey, type PartFigures } from '../../usage/part-keys.ts';
import { emptyColumns, type Tick } from '../../usage/tick.ts';
import type { FaultTotals } from '../metrics/exposition.ts';
import type { MemberEntry } from './member-index.ts';
import { currentMilliseconds, NearLimits } from './near-limits.ts';
import { RecentCourse } from './recent-course.ts';

/** Faults younger than this are shown with a tenant. */
const recentMilliseconds = 300_000;

interface FaultedTick {
  readonly monotonic: number;
  readonly faults: readonly Fault[];
}

export type FaultCounts = Readonly<Partial<Record<LimitKey, number>>>;

const noTick: Tick = { at: 0, seconds: 0, members: [], columns: emptyColumns(0) };
const kernelKeys = metricKeys.filter((key): key is KernelKey => !isPartKey(key));
const noUsage = Object.fromEntries(kernelKeys.map((key) => [key, 0])) as Record<KernelKey, number>;

export class LatestSample {
  #tick: Tick = noTick;
  #monotonic = 0;
  #rowOf: ReadonlyMap<Member, number> = new Map();
  #counters: ReadonlyMap<Member, Readonly<Counters>> = new Map();
  #figures: ReadonlyMap<Member, PartFigures> = new Map();
  readonly #recent: FaultedTick[] = [];
  /** Faults since the agent started. */
  readonly #totals = new Map<
    Member,
    Partial<Record<LimitKey, Partial<Record<Severity, number>>>>
  >();
  readonly #near = new NearLimits();
  #entries: ReadonlyMap<Member, Pick<MemberEntry, 'limits'>> = new Map();
  /** The CPU of the last ticks. */
  readonly course = new RecentCourse();
  ticks = 0;
  faults = 0;

  get tick(): Tick {
    return this.#tick;
  }

  update(
    tick: Tick,
    readings: readonly Reading[],
    faults: readonly Fault[],
    { monotonic }: Moment,
  ) {
    this.#tick = tick;
    this.#monotonic = monotonic;
    this.#rowOf = new Map(tick.members.map((member, row) => [member, row]));
    this.#counters = new Map(readings.map((each) => [each.member, each.now]));
    this.#figures = new Map(
      readings.flatMap(({ member, figures }) => (figures ? [[member, figures] as const] : [])),
    );
    while ((this.#recent[0]?.monotonic ?? Infinity) < monotonic - recentMilliseconds) {
      this.#recent.shift();
    }
    const hits = faults.filter(({ severity }) => severity !== 'observed');
    if (hits.length > 0) this.#recent.push({ monotonic, faults: hits });
    for (const { count } of hits) this.faults += count;
    for (const fault of faults) this.#count(fault);
    this.#near.add(tick, this.#entries, monotonic);
    const measured = new Set(readings.filter(({ before }) => before).map(({ member }) => member));
    this.course.add(tick.at, (member) => {
      const row = this.#rowOf.get(member);
      return row === undefined ? (measured.has(member) ? 0 : NaN) : (tick.columns.cpu[row] ?? NaN);
    });
    this.ticks++;
  }

  #count({ member, limit, severity, count }: Fault): void {
    let totals = this.#totals.get(member);
    if (totals === undefined) this.#totals.set(member, (totals = {}));
    const ofLimit = (totals[limit] ??= {});
    ofLimit[severity] = (ofLimit[severity] ?? 0) + count;
  }

  counters(member: Member): Readonly<Counters> | undefined {
    return this.#counters.get(member);
  }

  /** Returns the faults since the agent started, also those that limits only would have caused. */
  get totals(): ReadonlyMap<Member, FaultTotals> {
    return this.#totals;
  }

  isIdle(member: Member): boolean {
    return !this.#rowOf.has(member);
  }

  usage(member: Member): Usage {
    const row = this.#rowOf.get(member);
    const figures = this.#figures.get(member);
    if (row === undefined) return { ...noUsage, ...figures };
    const pairs = kernelKeys.map((key) => [key, this.#tick.columns[key][row] ?? 0] as const);
    return { ...(Object.fromEntries(pairs) as Record<KernelKey, number>), ...figures };
  }

  /** Returns the faults of the last five minutes. */
  recentFaults(): ReadonlyMap<Member, FaultCounts> {
    const counts = new Map<Member, Partial<Record<LimitKey, number>>>();
    for (const { faults } of this.#recent) {
      for (const { member, limit, count } of faults) {
        let mine = counts.get(member);
        if (mine === undefined) counts.set(member, (mine = {}));
        mine[limit] = (mine[limit] ?? 0) + count;
      }
    }
    return counts;
  }

  /** Returns the limits that were hit in the last tick. */
  limitsHitIn(monotonicOfTick: number): ReadonlyMap<Member, readonly LimitKey[]> {
    const found = new Map<Member, LimitKey[]>();
    const last = this.#recent.at(-1);
    if (last === undefined || last.monotonic !== monotonicOfTick) return found;
    for (const { member, limit } of last.faults) {
      const mine = found.get(member);
      if (mine === undefined) found.set(member, [limit]);
      else if (!mine.includes(limit)) mine.push(limit);
    }
    return found;
  }

  /** Returns the limits that were hit in the last minute. */
  limitsHitNow(): ReadonlyMap<Member, ReadonlySet<LimitKey>> {
    const found = new Map<Member, Set<LimitKey>>();
    for (const { monotonic, faults } of this.#recent) {
      if (monotonic < this.#monotonic - currentMilliseconds) continue;
      for (const { member, limit } of faults) {
        const mine = found.get(member);
        if (mine === undefined) found.set(member, new Set([limit]));
        else mine.add(limit);
      }
    }
    return found;
  }

  /** Returns the limits of which a member used nearly all, or all, in the last minute. */
  limitsNear(member: Member): readonly LimitKey[] {
    return this.#near.of(member);
  }

  /** Removes members whose uid has a new owner. */
  forget(members: ReadonlySet<Member>): void {
    for (const member of members) this.#totals.delete(member);
    this.#near.forget(members);
    this.course.forget(members);
    for (const [index, { monotonic, faults }] of this.#recent.entries()) {
      const kept = faults.filter((each) => !members.has(each.member));
      if (kept.length < faults.length) this.#recent[index] = { monotonic, faults: kept };
    }
  }

  /** Removes former members. */
  follow(entries: ReadonlyMap<Member, Pick<MemberEntry, 'limits'>>): void {
    this.#entries = entries;
    this.course.follow(entries);
    for (const member of this.#totals.keys()) if (!entries.has(member)) this.#totals.delete(member);
  }
}
