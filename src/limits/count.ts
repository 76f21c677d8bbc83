/**
 * A number in a counter file. What is not one is left out rather than counted: `NaN` or a negative
 * number would go from one reading into every rate and sum after it.
 */
import type { Counters } from './limit.ts';

/** More than any counter reaches; the kernel prints a negative one as such an unsigned number. */
const countMax = 2 ** 63;

/** `1234`, with or without the end of its line. */
export function parseCount(text: string): number | undefined {
  const first = text.charCodeAt(0) - 48;
  const count = Number(text);
  if (first >= 0 && first <= 9 && Number.isInteger(count) && count < countMax) return count;
  return undefined;
}

/** Leaves the counter as it is if the text is not a number. */
export function setCount(
  text: string,
  counter: keyof Counters,
  into: Partial<Counters>,
  unitsPerCount = 1,
): void {
  const count = parseCount(text);
  if (count !== undefined) into[counter] = count / unitsPerCount;
}
