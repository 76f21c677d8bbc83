/** Measures how much of a core cgroups use, if neither the machine nor its clock is reliable. */
import { eventually } from '../../testing/patience.ts';
import type { Counters } from '../../src/limits/limit.ts';

const periodsLeast = 20;

/**
 * Waits until each was throttled many times, and has used no more of a core than its value in `most`: 0.2 is a fifth.
 * An emulated processor that loses its own for a moment lets a process have too much, and the kernel takes that off the
 * next periods: the longer it lasts, the nearer to the limit. A process without a limit never comes down to it. Returns
 * the shares.
 */
export async function usesNoMoreThan(
  most: ReadonlyMap<string, number>,
  counters: (cgroup: string) => Readonly<Counters>,
): Promise<readonly number[]> {
  const throttledAfter = (cgroup: string, periods: number) =>
    eventually(`${cgroup} is throttled`, () => counters(cgroup).throttledPeriods > periods);
  const [cgroups, bounds] = [[...most.keys()], [...most.values()]];
  for (const cgroup of cgroups) await throttledAfter(cgroup, 0);
  const begin = performance.now();
  const before = cgroups.map(counters);
  for (const [index, cgroup] of cgroups.entries())
    await throttledAfter(cgroup, (before[index]?.throttledPeriods ?? 0) + periodsLeast);
  const sharesNow = () =>
    cgroups.map((cgroup, index) => {
      const used = counters(cgroup).cpuMicroseconds - (before[index]?.cpuMicroseconds ?? 0);
      return used / 1000 / (performance.now() - begin);
    });
  return eventually(
    `no more of a core is used than ${bounds.join(', ')}`,
    () => {
      const shares = sharesNow();
      return shares.every((share, index) => share < (bounds[index] ?? NaN)) && shares;
    },
    () => sharesNow().join(', '),
  );
}
