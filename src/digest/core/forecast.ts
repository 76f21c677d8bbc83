/** Forecasts when disk space will be full, from one sample a day. */

/** The day, counted from 1970, and the bytes in use then. */
export type DiskSample = readonly [day: number, bytes: number];

export const dayMilliseconds = 86_400_000;
/** The number of samples that are kept. */
export const samplesMax = 30;
/** Fewer days say nothing about a trend. */
const samplesMin = 4;

/**
 * Returns the day, with its fraction, at which the line through the samples reaches the limit; undefined if use does
 * not grow, or there are too few samples. `bytes` is what is in use on `today`.
 */
export function dayWhenFull(
  samples: readonly DiskSample[],
  {
    today,
    bytes,
    limit,
  }: { readonly today: number; readonly bytes: number; readonly limit: number },
): number | undefined {
  if (samples.length < samplesMin) return undefined;
  const slope = slopeOf(samples);
  return slope > 0 ? today + Math.max(0, limit - bytes) / slope : undefined;
}

/** Returns the growth in bytes a day, by least squares. */
function slopeOf(samples: readonly DiskSample[]): number {
  const mean = (index: 0 | 1) =>
    samples.reduce((sum, each) => sum + each[index], 0) / samples.length;
  const [day, bytes] = [mean(0), mean(1)];
  const spread = samples.reduce((sum, each) => sum + (each[0] - day) ** 2, 0);
  if (spread === 0) return 0;
  return samples.reduce((sum, each) => sum + (each[0] - day) * (each[1] - bytes), 0) / spread;
}
