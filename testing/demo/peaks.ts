/**
 * The highest use that the kernel itself remembers: samples, four times a second, may miss it.
 *
 * `memory.peak` came to v2 with Linux 5.19 and `pids.peak` with 6.1; v1 always had its own.
 */
import { readText } from '../../packages/base/io/read.ts';
import { paths } from './place.ts';

export type Peak = 'memory' | 'pids';

const files: Readonly<Record<Peak, readonly string[]>> = {
  memory: ['memory.peak', 'memory.max_usage_in_bytes'],
  pids: ['pids.peak'],
};

export function readPeak(cgroup: string, peak: Peak): number | undefined {
  for (const root of launchRoots()) {
    for (const file of files[peak]) {
      const text = readText(`${root}/${cgroup}/${file}`);
      if (text !== undefined) return Number(text);
    }
  }
  return undefined;
}

/** Returns the roots from the file that also tells the launcher where tenants' cgroups are. */
const launchRoots = () =>
  [...(readText(`${paths.runtime}/launch`) ?? '').matchAll(/^root (.+)$/gm)].map(
    ([, root = '']) => root,
  );
