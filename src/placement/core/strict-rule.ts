/** The rule about tenants in the kernel's own numbers, as the BPF programs take it (bpf/placement.bpf.c). */

import { u32le, type MapEntry } from '../../../packages/base/map-entry.ts';
import type { StrictMode } from '../../policy/document.ts';

/** A tenant's cgroup: the cgroup of this name directly below a directory, which is identified by its inode. */
export interface CgroupPath {
  readonly uid: number;
  readonly parent: bigint;
  /** The number of directories from the root of the hierarchy to the parent. */
  readonly level: number;
  readonly name: string;
}

/** Subordinate uids of a tenant, inclusive. */
export interface SubordinateRange {
  readonly first: number;
  readonly last: number;
  readonly owner: number;
}

export interface StrictRule {
  /** Whether a task may become a tenant's outside its cgroup; undefined: it may. */
  readonly placement: StrictMode | undefined;
  /** Whether tenants may make the kernel load modules; undefined: they may. */
  readonly modules: StrictMode | undefined;
  /** The places in ascending order of uid, each once. */
  readonly places: readonly CgroupPath[];
  /** The ranges in ascending order, disjoint. */
  readonly ranges: readonly SubordinateRange[];
}

/** The size of the maps; one place is the self-test's. */
export const placesMax = 65_535;
export const rangesMax = 65_536;
const nameBytes = 40;
export const nameLengthMax = nameBytes - 1;
/** The level of a cgroup that does not exist. */
const nowhere = 0xffff_ffff;

const modes = { on: 1, watch: 2 } as const;
const numberOf = (mode: StrictMode | undefined) => (mode === undefined ? 0 : modes[mode]);

/** Returns the entries of the maps. */
export function placementMapEntries(rule: StrictRule): readonly MapEntry[] {
  const { placement, modules, places, ranges } = rule;
  return [
    {
      map: 'settings',
      key: u32le(0),
      value: u32le(numberOf(placement), numberOf(modules), ranges.length),
    },
    ...places.map(placeEntry),
    ...ranges.map(({ first, last, owner }, index) => ({
      map: 'ranges',
      key: u32le(index),
      value: rangeBytes({ first, last, owner }),
    })),
  ];
}

/** Returns the entry of the self-test's uid, which nobody has. It is refused in every mode. */
export const placementSelfTestEntry = (uid: number): MapEntry =>
  placeEntry({ uid, parent: 0n, level: nowhere, name: '' });

const placeEntry = (place: CgroupPath): MapEntry => ({
  map: 'tenants',
  key: u32le(place.uid),
  value: placeBytes(place),
});

export const placeLength = 56;

/** Returns the value of a tenant's place in the kernel's map. */
export function placeBytes({ parent, level, name }: CgroupPath): Uint8Array {
  // The layout of C: 8 bytes, 4, the name, and padding to a multiple of 8.
  const bytes = new Uint8Array(placeLength);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, parent, true);
  view.setUint32(8, level, true);
  new TextEncoder().encodeInto(name, bytes.subarray(12, 12 + nameLengthMax));
  return bytes;
}

export const rangeLength = 12;

/** Returns the value of a range in the kernel's map. */
export const rangeBytes = ({ first, last, owner }: SubordinateRange): Uint8Array =>
  u32le(first, last - first + 1, owner);
