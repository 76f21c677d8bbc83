/**
 * A fair queue. The next caller is the one that has used the least work so far; its own requests stay in order. No
 * caller gains by sending more requests, or several at once.
 *
 * Work is counted from a common floor: the account of the caller served last. A caller that returns
 * after a while starts there, so it is soon next, but cannot save up.
 */
export interface QueueBounds {
  /** The maximum number of waiting requests per caller, and in total. */
  readonly eachMax: number;
  readonly totalMax: number;
}

/**
 * The result of adding a request. `displaced`: the newest request of the caller with the most waiting, dropped for this
 * one.
 */
type Added<T> =
  | { readonly kind: 'added' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'displaced'; readonly item: T };

export class FairQueue<T> {
  readonly #bounds: QueueBounds;
  readonly #waiting = new Map<number, T[]>();
  readonly #work = new Map<number, number>();
  #floor = 0;
  #length = 0;

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#length;
  }

  add(who: number, item: T): Added<T> {
    const own = this.#waiting.get(who)?.length ?? 0;
    if (own >= this.#bounds.eachMax) return { kind: 'refused' };
    if (this.#length < this.#bounds.totalMax) {
      this.#push(who, item);
      return { kind: 'added' };
    }
    const greedy = this.#greediest();
    const newest = this.#waiting.get(greedy)?.at(-1);
    const more = (this.#waiting.get(greedy)?.length ?? 0) - (own + 1);
    const isGreedier = more > 0 || (more === 0 && this.#workOf(greedy) > this.#workOf(who));
    if (newest === undefined || !isGreedier) return { kind: 'refused' };
    this.remove(greedy, newest);
    this.#push(who, item);
    return { kind: 'displaced', item: newest };
  }

  /** Takes the next request; its work must be charged once it is known. */
  take(): { readonly who: number; readonly item: T } | undefined {
    const [first] = this.#waiting.keys();
    if (first === undefined) return undefined;
    let who = first;
    for (const each of this.#waiting.keys()) {
      if (this.#workOf(each) < this.#workOf(who)) who = each;
    }
    const item = this.#waiting.get(who)?.[0];
    if (item === undefined) return undefined;
    this.#floor = Math.max(this.#floor, this.#workOf(who));
    this.remove(who, item);
    return { who, item };
  }

  charge(who: number, work: number): void {
    this.#work.set(who, this.#workOf(who) + work);
    if (this.#length === 0) this.#work.clear();
    for (const [each, done] of this.#work) {
      if (done <= this.#floor && !this.#waiting.has(each)) this.#work.delete(each);
    }
  }

  /** Removes a request that is no longer wanted. */
  remove(who: number, item: T): void {
    const own = this.#waiting.get(who) ?? [];
    const index = own.indexOf(item);
    if (index < 0) return;
    own.splice(index, 1);
    this.#length--;
    if (own.length === 0) this.#waiting.delete(who);
  }

  removeAll(): readonly T[] {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    this.#length = 0;
    return all;
  }

  #push(who: number, item: T): void {
    const own = this.#waiting.get(who);
    this.#length++;
    if (own !== undefined) {
      own.push(item);
      return;
    }
    this.#work.set(who, this.#workOf(who));
    this.#waiting.set(who, [item]);
  }

  #workOf(who: number): number {
    const work = this.#work.get(who);
    if (this.#waiting.has(who)) return work ?? this.#floor;
    return Math.max(work ?? this.#floor, this.#floor);
  }

  /** Returns the caller with the most waiting requests; of several the one with the most work. */
  #greediest(): number {
    const count = (who: number) => this.#waiting.get(who)?.length ?? 0;
    return [...this.#waiting.keys()].reduce((max, each) => {
      const difference = count(each) - count(max) || this.#workOf(each) - this.#workOf(max);
      return difference > 0 ? each : max;
    });
  }
}
