/** The geometry that all charts share: where a moment and a value are, and which parts belong together. */

/** The rectangle in which values are drawn, and its scales. */
export interface Plot {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** The period in milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** The value at the upper edge; 0 is at the lower one. */
  readonly highest: number;
}

export const tenth = (value: number): number => Math.round(value * 10) / 10;

const within = (share: number) => Math.min(1, Math.max(0, share));

/** Returns the position of a moment; a moment outside the period is at its edge. */
export const xOf = ({ left, width, from, to }: Plot, at: number): number =>
  tenth(left + within((at - from) / (to - from)) * width);

export const yOf = ({ top, height, highest }: Plot, value: number): number =>
  tenth(top + (1 - within(value / highest)) * height);

/** Returns the moment at a share of the period: 0.5 is its middle. */
export const momentAt = ({ from, to }: Pick<Plot, 'from' | 'to'>, share: number): number =>
  from + share * (to - from);

/** Measured parts that follow each other. */
export interface Run {
  /** The index of the first. */
  readonly first: number;
  readonly values: readonly number[];
}

/** Divides parts at those that were not measured, which nothing may bridge. */
export function runsOf(points: readonly (number | null)[]): readonly Run[] {
  const runs: { first: number; values: number[] }[] = [];
  for (const [index, value] of points.entries()) {
    if (value === null) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.first + last.values.length === index) last.values.push(value);
    else runs.push({ first: index, values: [value] });
  }
  return runs;
}
