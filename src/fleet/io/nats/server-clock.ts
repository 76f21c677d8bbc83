/** Clocks of a fleet's servers: the centre tells by them which hosts are silent. */

const differenceMsMax = 30_000;

/** Returns what is wrong with a server's clock, from its answer and the time when that came. */
export function clockProblem(time: string | undefined, nowMs: number): string | undefined {
  const told = Date.parse(time ?? '');
  if (Number.isNaN(told)) return 'it does not say what time it has';
  const seconds = Math.round(Math.abs(nowMs - told) / 1000);
  if (seconds * 1000 <= differenceMsMax) return undefined;
  return `its clock is ${seconds} s ${told < nowMs ? 'behind' : 'ahead of'} the one here`;
}
