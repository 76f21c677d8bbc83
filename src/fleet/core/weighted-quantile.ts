/** Quantiles over time, of parts that were measured for different lengths. */

/** Returns the smallest value that was not exceeded for this part of the time; undefined if nothing was measured. */
export function weightedQuantile(
  values: readonly (number | null)[],
  seconds: readonly number[],
  fraction: number,
): number | undefined {
  const known = values.flatMap((value, index) => {
    const weight = seconds[index] ?? 0;
    return value === null || weight <= 0 ? [] : [{ value, weight }];
  });
  known.sort((one, other) => one.value - other.value);
  let left = fraction * known.reduce((sum, { weight }) => sum + weight, 0);
  for (const { value, weight } of known) {
    left -= weight;
    if (left <= 0) return value;
  }
  return known.at(-1)?.value;
}
