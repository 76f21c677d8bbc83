/**
 * Adds to the reading of each tenant, and of its reseller, what a part of the agent knows of it. Sites have none: neither
 * database servers nor sockets know them.
 */
import type { Reading } from '../../usage/measure.ts';
import { kindOf, resellerMember, uidOf, type Member } from '../../usage/member.ts';
import { partKeys, type PartFigures } from '../../usage/part-keys.ts';
import type { MemberEntry } from './member-index.ts';

interface Timed {
  /** The time at which it was last read, by a monotonic clock. */
  readonly atSeconds: number;
}

interface Last<Use> {
  readonly use: Use;
  readonly figures: PartFigures;
}

type Entries = ReadonlyMap<Member, Pick<MemberEntry, 'resellerUid'>>;

/** Returns the figures between two reads; without a `before` only those that are no rates. */
export type FiguresOf<Use> = (now: Use, before: Use | undefined, seconds: number) => PartFigures;

/** Parts read at least once a second or a tick; what is older than this says nothing about now. */
const oldSeconds = 10;

export class PartReadings<Use extends Timed> {
  readonly #figuresOf: FiguresOf<Use>;
  #last = new Map<Member, Last<Use>>();

  constructor(figuresOf: FiguresOf<Use>) {
    this.#figuresOf = figuresOf;
  }

  /** `useOf` returns undefined while it is unknown; `now` is the monotonic time in seconds. */
  with(
    readings: readonly Reading[],
    entries: Entries,
    useOf: (uid: number) => Use | undefined,
    now: number,
  ): readonly Reading[] {
    const last = new Map<Member, Last<Use>>();
    const sums = new Map<Member, PartFigures>();
    for (const { member } of readings) {
      const use = kindOf(member) === 'tenant' ? useOf(uidOf(member)) : undefined;
      if (use === undefined || now - use.atSeconds > oldSeconds) continue;
      const figures = this.#since(this.#last.get(member), use);
      last.set(member, { use, figures });
      const reseller = entries.get(member)?.resellerUid;
      if (reseller !== undefined) addTo(sums, resellerMember(reseller), figures);
    }
    this.#last = last;
    if (last.size === 0) return readings;
    return readings.map((reading) => {
      const figures = last.get(reading.member)?.figures ?? sums.get(reading.member);
      return figures === undefined
        ? reading
        : { ...reading, figures: { ...reading.figures, ...figures } };
    });
  }

  /** Returns the figures since the last reading; those of before, if nothing was read since. */
  #since(last: Last<Use> | undefined, use: Use): PartFigures {
    if (last === undefined) return this.#figuresOf(use, undefined, 0);
    const seconds = use.atSeconds - last.use.atSeconds;
    return seconds <= 0 ? last.figures : this.#figuresOf(use, last.use, seconds);
  }
}

function addTo(sums: Map<Member, PartFigures>, member: Member, figures: PartFigures): void {
  const sum: { -readonly [Key in keyof PartFigures]: number } = { ...sums.get(member) };
  for (const key of partKeys) {
    const value = figures[key];
    if (value !== undefined) sum[key] = (sum[key] ?? 0) + value;
  }
  sums.set(member, sum);
}
