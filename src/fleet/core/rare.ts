/**
 * Whether a count is out of the ordinary, compared with counts of the same hours on earlier days.
 *
 * Counts of two periods with one Poisson rate divide their sum like throws of a coin. With n earlier days, each event is
 * from the new period with probability 1 / (n + 1), whatever the rate is, so the tail is exact: the binomial one. Source:
 * Przyborowski and Wilenski, "Homogeneity of results in testing samples from Poisson series", Biometrika 31 (1940).
 *
 * Days differ more than Poisson says: one backup makes fifty tenants reach a limit together. So a count is never out of
 * the ordinary if one of the days had as many.
 */

/** The probability below which chance does not explain a count. */
export const rareBelow = 0.001;

/**
 *     ordinary   one of the days had as many, or chance explains it
 *     rare       chance does not explain it
 *     unclear    too few days are known: they could not show it even if none of them had any
 */
export type Rarity = 'ordinary' | 'rare' | 'unclear';

export function rarityOf(count: number, days: readonly number[]): Rarity {
  if (days.some((each) => each >= count)) return 'ordinary';
  const before = days.reduce((sum, each) => sum + each, 0);
  if (tailOf(count, before, days.length) < rareBelow) return 'rare';
  return tailOf(count, 0, days.length) < rareBelow ? 'ordinary' : 'unclear';
}

/**
 * Returns the probability of `count` events or more in one period, if `before` events in `days` such periods have the
 * same rate.
 */
export function tailOf(count: number, before: number, days: number): number {
  const all = count + before;
  const chance = 1 / (days + 1);
  // With no days known, every event is from the new period.
  if (days === 0) return 1;
  let sum = 0;
  for (let each = count; each <= all; each++)
    sum += Math.exp(
      logChoose(all, each) + each * Math.log(chance) + (all - each) * Math.log(1 - chance),
    );
  return Math.min(1, sum);
}

const logChoose = (n: number, k: number) => logFactorial(n) - logFactorial(k) - logFactorial(n - k);

/** Returns ln n!: summed for small numbers, by Stirling's series for others, which is exact to 1e-12 there. */
function logFactorial(n: number): number {
  if (n >= 64)
    return (
      n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + 1 / (12 * n) - 1 / (360 * n * n * n)
    );
  let sum = 0;
  for (let each = 2; each <= n; each++) sum += Math.log(each);
  return sum;
}
