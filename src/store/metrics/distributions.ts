/**
 * The distribution of some metrics of some members over a source: averages, maxima and quantiles. It takes one pass
 * over the rows. If there are too many samples to keep, exact quantiles of ticks (tally.ts) take a second one.
 *
 * The slot of a member and metric is `members × metric + member`.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import { decodeHourColumn } from './hour-row.ts';
import { quotedName } from './metrics-schema.ts';
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
  readonly #columns: readonly string[];
  readonly #ticks: TickColumns;
  readonly #tally: Tally;

  /** Prepares the search. `recording`: memory that it may use. */
  constructor(db: DatabaseSync, source: RowSource, subject: Subject, recording: Recording) {
    this.#db = db;
    this.#source = source;
    this.#subject = subject;
    const slots = subject.members.length * subject.metrics.length;
    this.#recording = source.detail === 'ticks' && slots <= fewSlots ? recording : undefined;
    this.#columns = subject.metrics.map(quotedName);
    this.#ticks = new TickColumns(this.#columns, subject.slots);
    this.#tally = new Tally(slots);
  }

  /** Finds the distributions; may be called only once. */
  find(fractions: readonly number[]): readonly MemberDistribution[] {
    for (const metric of this.#columns.keys()) this.#addHours(metric);
    this.#addTicks();
    const tally = this.#tally;
    const { detail, measuredSeconds } = this.#source;
    const places = Array.from(tally.maxima.keys()).flatMap((slot) =>
      fractions.map((fraction) => tally.place(slot, fraction, measuredSeconds)),
    );
    const refined = detail === 'ticks' ? this.#refine(places, fractions.length) : undefined;
    return Array.from(tally.maxima.entries()).flatMap(([slot, maximum]) => {
      const whose = this.#whose(slot);
      if (maximum === 0 || whose === undefined) return [];
      const quantiles = fractions.map((_, index) => {
        const at = slot * fractions.length + index;
        return refined?.value(at) ?? tally.middle(slot, places[at] ?? idle);
      });
      const average = (tally.sums[slot] ?? 0) / measuredSeconds;
      return [{ ...whose, average, max: tally.maximum(slot), quantiles }];
    });
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

  #addHours(metric: number): void {
    const { slots } = this.#subject;
    const column = this.#columns[metric] ?? '';
    for (const [, , count, members, bytes] of hoursOf(this.#db, this.#source, column)) {
      const numbers = decodeNumbers(members, count);
      // Unpacking an hour is most of the work.
      if (bytes === null || !isAnyIn(numbers, slots)) continue;
      const hour = decodeHourColumn(bytes, count);
      if (hour !== undefined) this.#tally.addHour(slots, numbers, hour, this.#offset(metric));
    }
  }

  #addTicks(): void {
    const tally = this.#tally;
    const recording = this.#recording;
    recording?.begin();
    for (const tick of this.#ticks.over(this.#db, this.#source)) {
      for (let metric = 0; metric < this.#columns.length; metric++) {
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
      for (let metric = 0; metric < this.#columns.length; metric++) {
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
