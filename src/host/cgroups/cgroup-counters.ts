/** Reads the counters of a tenant's cgroup, and adds its parts' counters if the kernel does not. */
import type { Controller, Counters } from '../../limits/limit.ts';
import { limits, noCounters } from '../../limits/limits.ts';
import type { Tree } from '../driver.ts';
import { partsIn } from './cgroup-tree.ts';

/** Returns undefined if the cgroup is in no hierarchy. */
export function readCounters(tree: Tree, cgroup: string): Counters | undefined {
  const own = readOwn(tree, cgroup);
  if (own === undefined) return undefined;
  const [first] = tree.hierarchies;
  const parts = first === undefined ? [] : partsIn(first.files, cgroup);
  return withParts(
    own,
    parts.flatMap((part) => readOwn(tree, part) ?? []),
    tree.version,
  );
}

function readOwn({ version, hierarchies }: Tree, cgroup: string): Counters | undefined {
  const into: Partial<Counters> = {};
  const side = version === 2 ? 'cgroup2' : 'cgroup1';
  let found = false;
  for (const counter of limits.flatMap((limit) => limit[side].counters)) {
    // A high-water mark is not the current usage.
    if (counter.peak !== undefined) continue;
    const controller = counter.controller as Controller;
    const hierarchy = hierarchies.find(({ controllers }) => controllers.has(controller));
    const text = hierarchy?.files.read(cgroup, counter.file);
    if (text === undefined) continue;
    found = true;
    counter.parse(text, into);
  }
  return found ? { ...noCounters, ...into } : undefined;
}

function withParts(own: Counters, parts: readonly Counters[], version: 1 | 2): Counters {
  const sum = { ...own };
  const keys = version === 2 ? notSummed2 : notSummed1;
  for (const part of parts) for (const key of keys) sum[key] += part[key];
  return sum;
}

const notSummed2 = ['processes'] as const;
const notSummed1 = [
  'processes',
  'oomKills',
  'forksRefused',
  'readBytes',
  'writeBytes',
  'reads',
  'writes',
] as const;
