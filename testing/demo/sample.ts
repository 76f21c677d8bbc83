/** Counters of the tenants' cgroups over time: the samples, and how they changed. */
import type { Driver } from '../../src/host/driver.ts';
import type { Counters } from '../../src/limits/limit.ts';

interface Sample {
  /** Milliseconds on the clock of `performance.now()`. */
  readonly at: number;
  readonly counters: Counters;
}

type Counter = keyof Counters;

/** The time over which the current use is averaged. */
const recentMilliseconds = 1000;

/** The samples of one cgroup, oldest first; the first was taken before its load began. */
export class SampleSeries {
  readonly #samples: Sample[] = [];

  add(sample: Sample): void {
    this.#samples.push(sample);
  }

  get last(): Sample | undefined {
    return this.#samples.at(-1);
  }

  get cpuMicroseconds(): readonly number[] {
    return this.#samples.map(({ counters }) => counters.cpuMicroseconds);
  }

  now(counter: Counter): number {
    return this.last?.counters[counter] ?? 0;
  }

  highest(counter: Counter): number {
    return Math.max(0, ...this.#samples.map((each) => each.counters[counter]));
  }

  growth(counter: Counter): number {
    return this.now(counter) - (this.#samples[0]?.counters[counter] ?? 0);
  }

  /** Returns the growth per second, over all samples. */
  rate(counter: Counter): number {
    return rateBetween(this.#samples[0], this.last, counter);
  }

  /** Counts the whole seconds that had a rate of at least this. */
  secondsAbove(counter: Counter, min: number): number {
    let seconds = 0;
    let [begin] = this.#samples;
    for (const sample of this.#samples) {
      if (begin === undefined || sample.at - begin.at < recentMilliseconds) continue;
      if (rateBetween(begin, sample, counter) >= min) seconds++;
      begin = sample;
    }
    return seconds;
  }

  recentRate(counter: Counter): number {
    const since = (this.last?.at ?? 0) - recentMilliseconds;
    const from = this.#samples.findLast((each) => each.at <= since) ?? this.#samples[0];
    return rateBetween(from, this.last, counter);
  }
}

export interface CommonUse {
  /** CPU time of the one in microseconds. */
  readonly own: number;
  /** CPU time of all that share with it, itself included. */
  readonly shared: number;
}

/** A load has begun when it has used this much CPU time; its shell needs less. */
const begunMicroseconds = 20_000;

/** Returns what was used from when both the one and the others had begun: one that begins late had no share before. */
export function commonUse(own: SampleSeries, shared: SampleSeries): CommonUse {
  const [mine, all] = [own.cpuMicroseconds, shared.cpuMicroseconds];
  const grown = (of: readonly number[], at: number) => (of[at] ?? 0) - (of[0] ?? 0);
  const from = mine.findIndex(
    (_, at) =>
      grown(mine, at) >= begunMicroseconds && grown(all, at) - grown(mine, at) >= begunMicroseconds,
  );
  const last = Math.min(mine.length, all.length) - 1;
  if (from === -1 || from >= last) return { own: 0, shared: 0 };
  const since = (of: readonly number[]) => grown(of, last) - grown(of, from);
  return { own: since(mine), shared: since(all) };
}

function rateBetween(from: Sample | undefined, to: Sample | undefined, counter: Counter): number {
  if (from === undefined || to === undefined || to.at <= from.at) return 0;
  return ((to.counters[counter] - from.counters[counter]) * 1000) / (to.at - from.at);
}

export type Readings = ReadonlyMap<string, SampleSeries>;

export const emptyReadings = (cgroups: Iterable<string>): Readings =>
  new Map([...cgroups].map((cgroup) => [cgroup, new SampleSeries()]));

export function takeSamples(readings: Readings, driver: Driver): void {
  for (const [cgroup, series] of readings) {
    const counters = driver.counters(cgroup);
    if (counters !== undefined) series.add({ at: performance.now(), counters });
  }
}
