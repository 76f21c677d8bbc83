/** The CPU of all members in the last ticks, in memory: pages that begin to show it live show what was before, too. */
import type { Member } from '../../usage/member.ts';

const ticksMax = 36;

interface Course {
  /** The times when the ticks ended, in milliseconds since 1970, the earliest first. */
  readonly at: readonly number[];
  /** The CPU of each asked member at these times, in cores; null if it was not measured. */
  readonly cpu: readonly (readonly (number | null)[])[];
}

export class RecentCourse {
  /** Values by tick, at the tick's number modulo `ticksMax`; not a number if it was not measured. */
  readonly #values = new Map<Member, Float32Array>();
  readonly #at = new Float64Array(ticksMax);
  #ticks = 0;

  /** Begins with new members, and drops former ones. */
  follow(members: { readonly keys: () => Iterable<Member> }): void {
    const wanted = new Set(members.keys());
    for (const member of this.#values.keys()) if (!wanted.has(member)) this.#values.delete(member);
    for (const member of wanted)
      if (!this.#values.has(member)) this.#values.set(member, unmeasured());
  }

  /** Drops what is known of members whose uid has a new owner. */
  forget(members: ReadonlySet<Member>): void {
    for (const member of members) this.#values.get(member)?.fill(NaN);
  }

  /** Adds a tick. `cpuOf` returns a member's CPU; not a number if it was not measured. */
  add(at: number, cpuOf: (member: Member) => number): void {
    const index = this.#ticks++ % ticksMax;
    this.#at[index] = at;
    for (const [member, values] of this.#values) values[index] = cpuOf(member);
  }

  of(members: readonly Member[]): Course {
    const count = Math.min(this.#ticks, ticksMax);
    const indexes = Array.from(
      { length: count },
      (_, each) => (this.#ticks - count + each) % ticksMax,
    );
    return {
      at: indexes.map((index) => this.#at[index] ?? 0),
      cpu: members.map((member) => {
        const values = this.#values.get(member);
        return indexes.map((index) => knownOf(values?.[index]));
      }),
    };
  }
}

const unmeasured = () => new Float32Array(ticksMax).fill(NaN);

const knownOf = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) ? null : value;
