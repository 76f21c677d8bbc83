/** Remembers since when applications in a crash loop rest, so that each is tried again after a while. */

const restMs = 5 * 60_000;

export interface Rests {
  /** Applications seen for the first time. */
  readonly begun: ReadonlySet<string>;
  /** Applications that have rested for long enough. */
  readonly over: ReadonlySet<string>;
  /** Applications that are to rest on. */
  readonly resting: ReadonlySet<string>;
}

export class RestWatch {
  #since: ReadonlyMap<string, number> = new Map();

  /** Takes the keys of programs that ended by themselves. Each is over at once, and again after the same while. */
  start(keys: readonly string[], nowMs: number): Pick<Rests, 'over' | 'resting'> {
    const recent = [...this.#since].filter(([, since]) => nowMs - since < restMs);
    const resting = keys.filter((key) => recent.some(([each]) => each === key));
    const over = keys.filter((each) => !resting.includes(each));
    this.#since = new Map([...recent, ...over.map((each) => [each, nowMs] as const)]);
    return { over: new Set(over), resting: new Set(resting) };
  }

  /** Takes the keys of all applications in a crash loop. One that is over begins anew if it is seen again. */
  see(keys: readonly string[], nowMs: number): Rests {
    const begun = keys.filter((each) => !this.#since.has(each));
    const sinceOf = (key: string) => this.#since.get(key) ?? nowMs;
    const over = keys.filter((each) => nowMs - sinceOf(each) >= restMs);
    const resting = keys.filter((each) => !over.includes(each));
    this.#since = new Map(resting.map((each) => [each, sinceOf(each)]));
    return { begun: new Set(begun), over: new Set(over), resting: new Set(resting) };
  }
}
