/**
 * Reads numbers in counter files. It skips text that is not a number: `NaN` or a negative number
 * would spoil every later rate and sum.
 */
import type { Counters } from './limit.ts';

/** More than any counter reaches; the kernel prints a negative one as such an unsigned number. */
const countMax = 2 ** 63;

/** Parses `1234`, with or without a line end. */
export function parseCount(text: string): number | undefined {
  const first = text.charCodeAt(0) - 48;
  const count = Number(text);
  if (first >= 0 && first <= 9 && Number.isInteger(count) && count < countMax) return count;
  return undefined;
}

/** Sets the counter, or leaves it as it is if the text is not a number. */
export function setCount(
  text: string,
  counter: keyof Counters,
  into: Partial<Counters>,
  unitsPerCount = 1,
): void {
  const count = parseCount(text);
  if (count !== undefined) into[counter] = count / unitsPerCount;
}
