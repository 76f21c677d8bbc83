/**
 * The distribution of some metrics of some members over a source: averages, maxima and quantiles. It takes one pass
 * over the rows. If there are too many samples to keep, exact quantiles of ticks (tally.ts) take a second one.
 *
 * The slot of a member and metric is `members × metric + member`.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import { isPartKey } from '../../usage/part-keys.ts';
import { decodeHourColumn } from './hour-row.ts';
import type { Recording } from './recording.ts';
import { hoursOf, type RowSource } from './source.ts';
import { Refinement, Tally, type Rank } from './tally.ts';
import { TickColumns, type Slots } from './tick-columns.ts';
import { decodeNumbers } from './tick-row.ts';

interface Subject {
  readonly slots: Slots;
  readonly members: readonly Member[];
  readonly metrics: readonly MetricKey[];
}

/** A distribution for a member that used the metric at all. */
export interface MemberDistribution {
  readonly member: Member;
  readonly metric: MetricKey;
  readonly average: number;
  readonly max: number;
  readonly quantiles: readonly number[];
}

/** The number of slots up to which samples are kept for the second pass; more would not fit. */
const fewSlots = 64;
const idle: Rank = { bin: -1, left: 0 };

export class Distributions {
  readonly #db: DatabaseSync;
  readonly #source: RowSource;
  readonly #subject: Subject;
  readonly #recording: Recording | undefined;
  /** The seconds for which each metric was known. */
  readonly #known: Float64Array;
  readonly #ticks: TickColumns;
  readonly #tally: Tally;

  /** Prepares the search. `recording`: memory that it may use. */
  constructor(db: DatabaseSync, source: RowSource, subject: Subject, recording: Recording) {
    this.#db = db;
    this.#source = source;
    this.#subject = subject;
    const slots = subject.members.length * subject.metrics.length;
    this.#recording = source.detail === 'ticks' && slots <= fewSlots ? recording : undefined;
    this.#ticks = new TickColumns(subject.metrics, subject.slots);
    this.#known = new Float64Array(subject.metrics.length);
    this.#tally = new Tally(slots);
  }

  /** Finds the distributions; may be called only once. */
  find(fractions: readonly number[]): readonly MemberDistribution[] {
    for (const [index, metric] of this.#subject.metrics.entries()) this.#addHours(index, metric);
    this.#addTicks();
    const tally = this.#tally;
    const { detail } = this.#source;
    const places = Array.from(tally.maxima.keys()).flatMap((slot) =>
      fractions.map((fraction) => tally.place(slot, fraction, this.#secondsOf(slot))),
    );
    const refined = detail === 'ticks' ? this.#refine(places, fractions.length) : undefined;
    return Array.from(tally.maxima.entries()).flatMap(([slot, maximum]) => {
      const whose = this.#whose(slot);
      if (maximum === 0 || whose === undefined) return [];
      const quantiles = fractions.map((_, index) => {
        const at = slot * fractions.length + index;
        return refined?.value(at) ?? tally.middle(slot, places[at] ?? idle);
      });
      const average = (tally.sums[slot] ?? 0) / this.#secondsOf(slot);
      return [{ ...whose, average, max: tally.maximum(slot), quantiles }];
    });
  }

  /** Returns for how many seconds the metric of a slot was known. */
  #secondsOf(slot: number): number {
    const index = Math.floor(slot / this.#subject.members.length);
    const metric = this.#subject.metrics[index];
    if (metric !== undefined && isPartKey(metric)) return this.#known[index] ?? 0;
    return this.#source.measuredSeconds;
  }

  #whose(slot: number): Pick<MemberDistribution, 'member' | 'metric'> | undefined {
    const { members, metrics } = this.#subject;
    const member = members[slot % members.length];
    const metric = metrics[Math.floor(slot / members.length)];
    return member === undefined || metric === undefined ? undefined : { member, metric };
  }

  #offset(metric: number): number {
    return metric * this.#subject.members.length;
  }

  #addHours(index: number, metric: MetricKey): void {
    const { slots } = this.#subject;
    for (const { count, members, bytes, seconds } of hoursOf(this.#db, this.#source, metric)) {
      this.#known[index] = (this.#known[index] ?? 0) + seconds;
      const numbers = decodeNumbers(members, count);
      // Unpacking an hour is most of the work.
      if (bytes === null || !isAnyIn(numbers, slots)) continue;
      const hour = decodeHourColumn(bytes, count);
      if (hour !== undefined) this.#tally.addHour(slots, numbers, hour, this.#offset(index));
    }
  }

  #addTicks(): void {
    const tally = this.#tally;
    const recording = this.#recording;
    recording?.begin();
    for (const tick of this.#ticks.over(this.#db, this.#source)) {
      for (let metric = 0; metric < this.#known.length; metric++) {
        if (!tick.isKnown(metric)) continue;
        this.#known[metric] = (this.#known[metric] ?? 0) + tick.seconds;
        const codes = tick.codes(metric);
        tally.addTick(tick, codes, this.#offset(metric));
        recording?.add(tick, codes, this.#offset(metric));
      }
      recording?.endTick(tick.seconds);
    }
  }

  #refine(places: readonly Rank[], perSlot: number): Refinement {
    const refinement = new Refinement(places, perSlot);
    if (!refinement.isNeeded) return refinement;
    if (this.#recording?.isWhole === true) {
      this.#recording.replay((slot, code, seconds) => refinement.add(slot, code, seconds));
      return refinement;
    }
    for (const tick of this.#ticks.over(this.#db, this.#source)) {
      for (let metric = 0; metric < this.#known.length; metric++) {
        refinement.addTick(tick, tick.codes(metric), this.#offset(metric));
      }
    }
    return refinement;
  }
}

function isAnyIn(numbers: Uint16Array | Uint32Array, slots: Slots): boolean {
  for (let index = 0; index < numbers.length; index++) {
    if ((slots[numbers[index] ?? 0] ?? -1) >= 0) return true;
  }
  return false;
}
