/** The table of limits. A new limit is one new file and one row here. */
import type { Attribute, Counters, Limit, LimitKey, PeakCounter } from './limit.ts';
import { cpu } from './cpu.ts';
import { database } from './database.ts';
import { disk } from './disk.ts';
import { entries } from './entries.ts';
import { io } from './io.ts';
import { memory } from './memory.ts';
import { network } from './network.ts';
import { processes } from './processes.ts';

export const limits: readonly Limit[] = [
  cpu,
  memory,
  io,
  processes,
  entries,
  disk,
  network,
  database,
];

export interface KeyedAttribute extends Attribute {
  readonly key: LimitKey;
  readonly limit: Limit;
  readonly name: string;
}

export const attributes: ReadonlyMap<LimitKey, KeyedAttribute> = new Map(
  limits.flatMap((limit) =>
    Object.entries(limit.attributes).map(([name, attribute]) => {
      const key: LimitKey = `${limit.name}.${name}`;
      return [key, { ...attribute, key, limit, name }] as const;
    }),
  ),
);

export function limitAttribute(key: LimitKey): KeyedAttribute {
  const attribute = attributes.get(key);
  if (attribute === undefined) throw new Error(`No limit "${key}" in the table`);
  return attribute;
}

/** Finds an attribute. `cpu` means `cpu.limit`, if the limit has an attribute of that name. */
export function findAttribute(name: string): KeyedAttribute | undefined {
  return attributes.get(name as LimitKey) ?? attributes.get(`${name}.limit`);
}

export const noCounters: Counters = {
  cpuMicroseconds: 0,
  throttledPeriods: 0,
  throttledMicroseconds: 0,
  memoryBytes: 0,
  memoryPeakBytes: 0,
  cacheBytes: 0,
  memoryHits: 0,
  oomKills: 0,
  readBytes: 0,
  writeBytes: 0,
  reads: 0,
  writes: 0,
  processes: 0,
  threads: 0,
  threadsPeak: 0,
  forksRefused: 0,
  cpuPressureMicroseconds: 0,
  memoryPressureMicroseconds: 0,
  ioPressureMicroseconds: 0,
};

/** Peaks at the start of a sample: they cover the time since the previous one. */
export const noPeaks: Readonly<Pick<Counters, PeakCounter>> = {
  memoryPeakBytes: 0,
  threadsPeak: 0,
};

const counterKeys = Object.keys(noCounters) as (keyof Counters)[];

/** Whether both are equal. */
export const sameCounters = (a: Readonly<Counters>, b: Readonly<Counters>): boolean =>
  counterKeys.every((key) => a[key] === b[key]);
