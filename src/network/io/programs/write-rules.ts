/**
 * Writes rules to maps in force, so that each tenant has either its old rules or its new ones: lists are written before
 * limits name them, and removed after; so are ranges of subordinate uids before the settings name them.
 */
import { u32le, type MapEntry } from '../../../../packages/base/map-entry.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { formatErrno } from '../../../../packages/base/io/errno.ts';
import type { BpfMap } from '../../../sys/bpf/maps.ts';
import { ruleMaps, type RuleMap } from '../../core/maps/network-maps.ts';
import { halfOf, inHalf, settingsBytes, type Half } from '../../core/maps/range-halves.ts';

type Maps = Readonly<Record<RuleMap | 'usages', BpfMap>>;

/** More keys than any map has. */
const keysMax = 2 ** 20;
const keyBytes = { limits: 8, clocks: 8, usages: 8, ports: 8, denied: 24, addresses: 16 } as const;
type KeyedMap = keyof typeof keyBytes;
/** Keys of resellers are beyond all uids. */
const uidEnd = 2n ** 32n;

interface TenantKey {
  readonly uid: number;
  readonly key: Uint8Array;
}

/** Returns the tenants that have an entry in `limits`. */
export const tenantUids = (limits: BpfMap): readonly TenantKey[] =>
  limits.keys(keyBytes.limits, keysMax).flatMap((key) => {
    const number = key.readBigUInt64LE();
    return number < uidEnd ? [{ uid: Number(number), key }] : [];
  });

/** Makes the maps what the entries say. Returns why it could not. */
export function writeRules(rules: readonly MapEntry[], maps: Maps): Cause | undefined {
  const entries = inHalf(rules, halfToWrite(rules, maps));
  const wanted = new Map(ruleMaps.map((name) => [name, entries.filter(({ map }) => map === name)]));
  for (const name of ruleMaps) {
    const problem = writeMap(name, wanted.get(name) ?? [], maps[name]);
    if (problem !== undefined) return problem;
  }
  // Entries of arrays are not removed; the settings have their number.
  for (const name of ['limits', 'ports', 'denied', 'addresses'] as const)
    removeOthers(name, wanted.get(name) ?? [], maps);
  for (const name of ['clocks', 'usages'] as const)
    removeOthers(name, wanted.get('limits') ?? [], maps);
  return undefined;
}

/** Returns the half of ranges in force if it is as wanted, or the other one. */
function halfToWrite(rules: readonly MapEntry[], maps: Maps): Half {
  const now = halfInForce(maps);
  const areThere = inHalf(rules, now)
    .filter(({ map }) => map === 'ranges' || map === 'settings')
    .every((each) => isWritten(each, maps));
  if (areThere) return now;
  return now === 'even' ? 'odd' : 'even';
}

const halfInForce = ({ settings }: Maps): Half => halfOf(settings.get(u32le(0), settingsBytes));

function writeMap(name: RuleMap, wanted: readonly MapEntry[], map: BpfMap): Cause | undefined {
  for (const { key, value } of wanted) {
    const found = map.get(key, value.length);
    // Clocks go on.
    if (found !== undefined && (name === 'clocks' || found.equals(value))) continue;
    const errno = map.set(key, value);
    if (errno !== undefined)
      return { reason: `cannot write ${name}: ${formatErrno(errno)}`, errno };
  }
  return undefined;
}

function removeOthers(name: KeyedMap, wanted: readonly MapEntry[], maps: Maps): void {
  for (const key of othersIn(name, wanted, maps)) maps[name].delete(key);
}

/** Returns the keys of a map that are not wanted. */
function othersIn(name: KeyedMap, wanted: readonly MapEntry[], maps: Maps): readonly Buffer[] {
  const known = new Set(wanted.map(({ key }) => hex(key)));
  return maps[name].keys(keyBytes[name], keysMax).filter((key) => !known.has(hex(key)));
}

/** Returns the numbers of keys that the entries have not, of each map. */
export const countOthers = (
  entries: readonly MapEntry[],
  maps: Maps,
): ReadonlyMap<string, number> =>
  new Map(
    Object.keys(keyBytes).map((name) => {
      const wanted = entries.filter(({ map }) => map === (name === 'usages' ? 'limits' : name));
      return [name, othersIn(name as KeyedMap, wanted, maps).length];
    }),
  );

/** Whether the maps are what the entries say. The host's addresses do not count: they come and go. */
export const areWritten = (entries: readonly MapEntry[], maps: Maps): boolean =>
  inHalf(entries, halfInForce(maps)).every((each) => isWritten(each, maps)) &&
  (['limits', 'ports', 'denied'] as const).every(
    (name) =>
      othersIn(
        name,
        entries.filter(({ map }) => map === name),
        maps,
      ).length === 0,
  );

function isWritten({ map, key, value }: MapEntry, maps: Maps): boolean {
  if (map === 'addresses') return true;
  const found = maps[map as RuleMap].get(key, value.length);
  return found !== undefined && (map === 'clocks' || Buffer.from(found).equals(value));
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
