/**
 * The size of the host, and the time that its threads waited for a resource.
 *
 *     /proc/meminfo            MemTotal:       16315404 kB
 *                              MemAvailable:   12037232 kB
 *     /proc/pressure/memory    some avg10=0.00 avg60=0.00 avg300=0.00 total=12345
 *                              full avg10=0.00 avg60=0.00 avg300=0.00 total=2345
 *
 * Sources: proc_meminfo(5), Documentation/accounting/psi.rst. `total` is in microseconds.
 */
import { availableParallelism } from 'node:os';
import { readText } from '../../packages/base/io/read.ts';
import type { Paths } from './paths.ts';

export const pressureResources = ['cpu', 'memory', 'io'] as const;

export interface Pressure {
  readonly resource: (typeof pressureResources)[number];
  /** Time during which at least one thread waited. */
  readonly someMicroseconds: number;
  /** The part of the last five minutes in which at least one thread waited, from 0 to 1: the kernel's moving average. Absent if the line lacks it. */
  readonly somePart300?: number;
  /** Time during which all threads waited that were not idle; absent if the kernel does not report it. */
  readonly fullMicroseconds?: number;
}

export interface HostFigures {
  readonly cores: number;
  readonly memoryBytes: number | undefined;
  readonly memoryAvailableBytes: number | undefined;
  /** The resources whose pressure the kernel reports. */
  readonly pressure: readonly Pressure[];
}

export function readHostFigures({ proc }: Pick<Paths, 'proc'>): HostFigures {
  const memory = readText(`${proc}/meminfo`) ?? '';
  return {
    cores: availableParallelism(),
    memoryBytes: parseMemory(memory, 'MemTotal'),
    memoryAvailableBytes: parseMemory(memory, 'MemAvailable'),
    pressure: pressureResources.flatMap((resource) => {
      const found = parsePressure(readText(`${proc}/pressure/${resource}`) ?? '');
      return found === undefined ? [] : [{ resource, ...found }];
    }),
  };
}

export function parseMemory(text: string, name: string): number | undefined {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

export function parsePressure(text: string): Omit<Pressure, 'resource'> | undefined {
  const total = (kind: string): number | undefined => {
    const found = new RegExp(`^${kind} .*\\btotal=(\\d+)$`, 'm').exec(text)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const [some, full] = [total('some'), total('full')];
  const percent = /^some .*\bavg300=(\d+\.\d+) /m.exec(text)?.[1];
  if (some === undefined) return undefined;
  return {
    someMicroseconds: some,
    ...(percent === undefined ? {} : { somePart300: Number(percent) / 100 }),
    ...(full === undefined ? {} : { fullMicroseconds: full }),
  };
}
