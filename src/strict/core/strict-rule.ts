/** What the kernel is told of tenants, in its own numbers, as the BPF programs take it (bpf/tenants.bpf.c). */

import { words, type MapEntry } from '../../base/map-entry.ts';
import type { StrictMode } from '../../policy/document.ts';

/** A tenant's cgroup: of this name, directly below a directory that is known by its inode. */
export interface Place {
  readonly uid: number;
  readonly parent: bigint;
  /** Of the parent: how many directories below the root of the hierarchy. */
  readonly level: number;
  readonly name: string;
}

/** Subordinate uids of a tenant, inclusive. */
export interface UidRange {
  readonly first: number;
  readonly last: number;
  readonly owner: number;
}

export interface StrictRule {
  /** Whether a task may become a tenant's outside of its cgroup; undefined: it may. */
  readonly placement: StrictMode | undefined;
  /** Whether tenants may make the kernel load modules; undefined: they may. */
  readonly modules: StrictMode | undefined;
  /** In ascending order of uid, each once. */
  readonly places: readonly Place[];
  /** In ascending order, disjoint. */
  readonly ranges: readonly UidRange[];
}

/** As many as the maps have; one place is the canary's. */
export const placesMax = 65_535;
export const rangesMax = 65_536;
const nameBytes = 40;
export const nameLengthMax = nameBytes - 1;
/** The level of what is nowhere. */
const nowhere = 0xffff_ffff;

const modes = { on: 1, watch: 2 } as const;
const numberOf = (mode: StrictMode | undefined) => (mode === undefined ? 0 : modes[mode]);

/** `canary`: a uid of nobody's, which is refused in every mode, so that it can be tried whether anything is. */
export function entriesOf(rule: StrictRule, canary: number): readonly MapEntry[] {
  const { placement, modules, places, ranges } = rule;
  const nobodys: Place = { uid: canary, parent: 0n, level: nowhere, name: '' };
  return [
    {
      map: 'settings',
      key: words(0),
      value: words(numberOf(placement), numberOf(modules), ranges.length),
    },
    ...[...places, nobodys].map((each) => ({
      map: 'tenants',
      key: words(each.uid),
      value: placeBytes(each),
    })),
    ...ranges.map(({ first, last, owner }, index) => ({
      map: 'ranges',
      key: words(index),
      value: rangeBytes({ first, last, owner }),
    })),
  ];
}

export const placeLength = 56;

/** The value of a tenant's place in the kernel's map. */
export function placeBytes({ parent, level, name }: Place): Uint8Array {
  // As C lays it out: 8 bytes, 4, the name, and what makes it a multiple of 8.
  const bytes = new Uint8Array(placeLength);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, parent, true);
  view.setUint32(8, level, true);
  new TextEncoder().encodeInto(name, bytes.subarray(12, 12 + nameLengthMax));
  return bytes;
}

export const rangeLength = 12;

/** The value of a range in the kernel's map. */
export const rangeBytes = ({ first, last, owner }: UidRange): Uint8Array =>
  words(first, last - first + 1, owner);
