/**
 * The clock rate of a core, for limits that are given as one.
 *
 *     3500000                        /sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq, kHz
 *     cpu MHz         : 2596.128     /proc/cpuinfo; in most virtual machines the only one
 *
 * The highest rate is used if it is known, since the present one changes with the load.
 */
import type { Paths } from '../../host/paths.ts';
import { readText } from '../../../packages/base/io/read.ts';

/**
 * Reads the MHz of the first core; undefined if the kernel does not report it, as on many ARM
 * hosts.
 */
export function readCoreMegahertz({ proc, sys }: Pick<Paths, 'proc' | 'sys'>): number | undefined {
  const highest = readText(`${sys}/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq`);
  if (highest !== undefined && /^\d{4,9}\n?$/.test(highest)) return Number(highest) / 1000;
  return parseCpuinfoMegahertz(readText(`${proc}/cpuinfo`) ?? '');
}

export function parseCpuinfoMegahertz(text: string): number | undefined {
  const megahertz = Number(/^cpu MHz\s*:\s*(\d{1,6}(?:\.\d+)?)$/m.exec(text)?.[1]);
  return megahertz > 0 ? megahertz : undefined;
}
