/** Taking samples in turn, and summarizing them. */

/** Eight of ten samples lie between p10 and p90; `p10` is absent where a source does not give it. */
export interface Spread {
  readonly p10?: number;
  readonly p50: number;
  readonly p90: number;
}

export interface Row {
  readonly label: string;
  /** Our samples, in the unit of the section. */
  readonly ours: Spread;
  /** The floor of the section, measured in the same run. */
  readonly floor?: Spread;
  /** The ratio of the pairs, where samples were taken in pairs. */
  readonly ratio?: Spread;
  /** The largest ratio that meets the goal. */
  readonly goal?: number;
  readonly peakMiB?: number;
  readonly note?: string;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  /** The name of `floor`. */
  readonly beside: string;
  /** The unit of all figures; milliseconds if absent. */
  readonly unit?: 'µs' | 'KiB' | 'Mbit/s';
  readonly rows: readonly Row[];
  readonly notes: readonly string[];
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  return { p10: at(sorted, 0.1), p50: at(sorted, 0.5), p90: at(sorted, 0.9) };
}

export const percentile = (samples: readonly number[], fraction: number): number =>
  at(
    samples.toSorted((a, b) => a - b),
    fraction,
  );

/** Returns the smallest sample that is not below `fraction` of all. */
const at = (sorted: readonly number[], fraction: number) =>
  sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)] ?? NaN;

/** Measures once and returns how long it took, in milliseconds. */
export type Way = () => number | Promise<number>;

/**
 * Measures every way once, then every way again: A B C A B C … Other load on the machine affects
 * all of them alike, and neighbours can be compared in pairs. One extra round is run first and
 * dropped.
 */
export async function inTurn(
  rounds: number,
  ways: readonly Way[],
  signal: AbortSignal,
): Promise<readonly (readonly number[])[]> {
  const samples: number[][] = ways.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [index, way] of ways.entries()) {
      signal.throwIfAborted();
      const sample = await way();
      if (round >= 0) samples[index]?.push(sample);
    }
  }
  return samples;
}

export function compare(
  label: string,
  ours: readonly number[],
  floor: readonly number[],
  goal?: number,
): Row {
  const ratios = ours.map((sample, index) => sample / (floor[index] ?? NaN));
  return {
    label,
    ours: spreadOf(ours),
    floor: spreadOf(floor),
    ratio: spreadOf(ratios),
    ...(goal === undefined ? {} : { goal }),
  };
}

export function milliseconds(work: () => void): number {
  const begin = performance.now();
  work();
  return performance.now() - begin;
}

/**
 * Measures ways in comparison with the first of them, each after a pause of so many milliseconds.
 */
export async function besideFirst(
  ways: readonly (readonly [label: string, way: Way])[],
  gap: number,
  rounds: number,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const samples = await inTurn(
    rounds,
    ways.map(([, each]) => each),
    signal,
  );
  const floor = samples[0] ?? [];
  return ways.map(([label], index) => {
    const own = samples[index] ?? [];
    const more = spreadOf(own.map((each, round) => each - (floor[round] ?? NaN))).p50;
    return {
      ...compare(`${label}, ${gap} ms idle`, own, floor),
      note: `${more.toFixed(2)} ms more, least ${Math.min(...own).toFixed(2)} ms`,
    };
  });
}
