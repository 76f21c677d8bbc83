/**
 * Writes rules to maps in force, so that each tenant has either its old rules or its new ones: lists are written before
 * limits name them, and removed after.
 */
import type { MapEntry } from '../../../../packages/base/map-entry.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { formatErrno } from '../../../../packages/base/io/errno.ts';
import type { BpfMap } from '../../../sys/bpf/maps.ts';
import { ruleMaps, type RuleMap } from '../../core/maps/network-maps.ts';

type Maps = Readonly<Record<RuleMap | 'clocks' | 'usages', BpfMap>>;

/** More keys than any map has. */
const keysMax = 2 ** 20;
const keyBytes = { limits: 8, clocks: 8, usages: 8, ports: 8, denied: 24, addresses: 16 } as const;
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
export function writeRules(entries: readonly MapEntry[], maps: Maps): Cause | undefined {
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

function writeMap(name: RuleMap, wanted: readonly MapEntry[], map: BpfMap): Cause | undefined {
  for (const { key, value } of wanted) {
    if (map.get(key, value.length)?.equals(value) === true) continue;
    const errno = map.set(key, value);
    if (errno !== undefined)
      return { reason: `cannot write ${name}: ${formatErrno(errno)}`, errno };
  }
  return undefined;
}

function removeOthers(name: keyof typeof keyBytes, wanted: readonly MapEntry[], maps: Maps): void {
  const known = new Set(wanted.map(({ key }) => hex(key)));
  for (const key of maps[name].keys(keyBytes[name], keysMax))
    if (!known.has(hex(key))) maps[name].delete(key);
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
