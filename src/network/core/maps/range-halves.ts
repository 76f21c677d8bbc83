/**
 * Ranges of subordinate uids, in the map `ranges`. The programs search them while they are written, so others go to the
 * places that nobody reads, even or odd ones, and the settings switch to them by one number.
 */
import { u32le, type MapEntry } from '../../../../packages/base/map-entry.ts';
import type { NetworkRules } from '../rules.ts';

export type Half = 'even' | 'odd';

const oddBit = 0x8000_0000;

/** `struct settings`: the inode of the host's network namespace, and the number of ranges with the half's bit. */
export const settingsBytes = 8;

export const rangeEntries = (ranges: NetworkRules['ranges'], namespace: number): MapEntry[] => [
  ...ranges.map(([first, last, owner], index) => ({
    map: 'ranges',
    key: u32le(2 * index),
    value: u32le(first, last - first + 1, owner),
  })),
  { map: 'settings', key: u32le(0), value: u32le(namespace, ranges.length) },
];

/** Returns the half that the settings name. */
export const halfOf = (settings: Uint8Array | undefined): Half =>
  settings !== undefined && viewOf(settings).getUint32(4, true) >= oddBit ? 'odd' : 'even';

/** Returns the entries, with those of ranges in a half. */
export const inHalf = (entries: readonly MapEntry[], half: Half): readonly MapEntry[] =>
  half === 'even' ? entries : entries.map(toOdd);

function toOdd(entry: MapEntry): MapEntry {
  const { map, key, value } = entry;
  if (map === 'ranges') return { ...entry, key: u32le(viewOf(key).getUint32(0, true) + 1) };
  if (map !== 'settings') return entry;
  const [namespace, count] = [0, 4].map((at) => viewOf(value).getUint32(at, true));
  return { ...entry, value: u32le(namespace ?? 0, (count ?? 0) + oddBit) };
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new DataView(buffer, byteOffset, byteLength);
