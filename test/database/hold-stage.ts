/** A simulated server, and one tenant's clients, held by the real code: a millisecond at a time. */
import { judge, newHold, type Hold, type Rung } from '../../src/database/core/hold.ts';
import { jittered } from '../../src/database/core/pace/jitter.ts';
import { NearTenants } from '../../src/database/core/pace/near-tenants.ts';
import { nextSlice, type Slice } from '../../src/database/core/slices.ts';

export interface Load {
  readonly connections: number;
  /** The CPU time of a statement. */
  readonly statementMicroseconds: number;
  /** The time between statements. */
  readonly restMicroseconds?: number;
}

const step = 1_000;
const cores = 1.55;
const uid = 1001;
/** The agent's pauses between looks, and how long a look takes. */
const [lookPause, nearPause, lookTime] = [1_000_000, 100_000, 20_000];

interface SeenUse {
  readonly usedMicroseconds: number;
  readonly elapsedMicroseconds: number;
}

interface Connection {
  /** CPU time that its statement still needs. */
  left: number;
  /** The time at which its client asks again. */
  asksAt: number;
}

export class Stage {
  longestPause = 0;
  ended = 0;
  readonly #load: Load;
  readonly #limit: number;
  readonly #connections: Connection[];
  readonly #used: (readonly [at: number, used: number])[] = [];
  #hold: Hold = newHold;
  #slice: Slice = { isFrozen: false, since: -1_000_000 };
  #now = 0;
  #total = 0;

  constructor(load: Load, limit: number) {
    this.#load = load;
    this.#limit = limit;
    this.#connections = Array.from({ length: load.connections }, () => ({ left: 0, asksAt: 0 }));
  }

  get rung(): Rung {
    return this.#hold.rung;
  }

  /** Runs for a time, with looks that come as the agent's do. `random` varies their pauses. */
  runPaced(microseconds: number, random: () => number): void {
    const near = new NearTenants();
    this.run(microseconds, ({ usedMicroseconds: used, elapsedMicroseconds: elapsed }) => {
      const { owes, balance } = this.#hold;
      const rate = used / elapsed;
      const debtMicroseconds = owes ? -balance : undefined;
      near.note([{ uid, rate, limitFraction: this.#limit, debtMicroseconds }], this.#now);
      return lookTime + jittered(near.uids.size > 0 ? nearPause : lookPause, random);
    });
  }

  /** Runs for a time, with a look each `tick`, or as long after a look as a function of it returns. */
  run(microseconds: number, pace: number | ((seen: SeenUse) => number)): void {
    const end = this.#now + microseconds;
    let tick = typeof pace === 'number' ? pace : lookPause;
    let [lookedAt, seen] = [this.#now, this.#total];
    for (; this.#now < end; this.#now += step) {
      this.#serve();
      if (this.#now - lookedAt >= tick) {
        const use = {
          usedMicroseconds: this.#total - seen,
          elapsedMicroseconds: this.#now - lookedAt,
          limitFraction: this.#limit,
          canFreeze: true,
        };
        this.#hold = judge(this.#hold, use, 'on');
        this.#end(this.#hold.ends);
        if (typeof pace !== 'number') tick = pace(use);
        [lookedAt, seen] = [this.#now, this.#total];
      }
      const next = nextSlice(this.#slice, this.#hold.owes, this.#now);
      if (next !== this.#slice && this.#slice.isFrozen)
        this.longestPause = Math.max(this.longestPause, this.#now - this.#slice.since);
      this.#slice = next;
    }
  }

  /** Ends the statements that have used most. */
  #end(count: number): void {
    const running = this.#connections.filter(({ left }) => left > 0);
    for (const each of running.toSorted((a, b) => a.left - b.left).slice(0, count)) {
      each.left = 0;
      each.asksAt = this.#now;
      this.ended += 1;
    }
  }

  /** Statements run to their end; only a client that is not frozen asks for the next. */
  #serve(): void {
    let budget = cores * step;
    for (const each of this.#connections) {
      let mine = Math.min(step, budget);
      while (mine > 0) {
        if (each.left === 0) {
          if (this.#slice.isFrozen || each.asksAt > this.#now) break;
          each.left = this.#load.statementMicroseconds;
        }
        const part = Math.min(mine, each.left);
        each.left -= part;
        mine -= part;
        budget -= part;
        this.#total += part;
        if (each.left === 0) each.asksAt = this.#now + (this.#load.restMicroseconds ?? 0);
      }
    }
    this.#used.push([this.#now, this.#total]);
  }

  /** Returns the rate of use in each span of so many microseconds. */
  ratesPer(span: number): readonly number[] {
    const at = (time: number) => this.#used[Math.min(time / step, this.#used.length - 1)]?.[1] ?? 0;
    const spans = Math.floor(this.#now / span);
    return Array.from(
      { length: spans },
      (_, each) => (at((each + 1) * span) - at(each * span)) / span,
    );
  }
}
