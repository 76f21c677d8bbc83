/** Finds the tenants' processes that are in a present jail of theirs, in one that has been replaced, or in none. */
import { readdirSync } from 'node:fs';
import { readText } from '../../../packages/base/io/read.ts';
import { linksOfOthers } from '../../sys/processes/links-of-others.ts';
import { statusState, statusValue } from '../../sys/processes/process-status.ts';
import { idOf, keyOf, type JailKey } from '../core/jail-key.ts';
import type { JailStateFile } from '../core/state-file.ts';

export interface Occupants {
  /** The pids of processes in the jail. */
  readonly inside: readonly number[];
  /** Processes in a jail that has been replaced. */
  readonly stale: readonly number[];
  /**
   * Processes in none of the tenant's jails. They see the host, and through them its uid can reach the jail. A site has
   * none: processes in no jail count as the tenant's.
   */
  readonly outside: readonly number[];
}

type Where = keyof Occupants;

/**
 * Finds the processes of all jails with a state file. If sites of a tenant have jails, `stateFiles` must contain all of the
 * tenant's.
 */
export function findOccupants(
  stateFiles: ReadonlyMap<JailKey, JailStateFile>,
): ReadonlyMap<JailKey, Occupants> {
  const found = new Map([...stateFiles.keys()].map((key) => [key, emptyOccupants()] as const));
  const byUid = Map.groupBy(stateFiles, ([key]) => idOf(key).uid);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const owners = pids.flatMap((pid) => {
    const uid = uidOf(pid);
    return uid !== undefined && byUid.has(uid) ? [[pid, uid] as const] : [];
  });
  const uids = new Map(owners);
  const accounts = Map.groupBy(uids.keys(), (pid) => uids.get(pid));
  for (const { pid, target } of linksOfOthers('/proc', accounts.values(), 'ns', ['-name', 'mnt'])) {
    const uid = uids.get(pid) ?? 0;
    const jails = byUid.get(uid) ?? [];
    const [key, where] = placeOf(namespaceIn(target), jails) ?? [keyOf({ uid }), 'outside'];
    found.get(key)?.[where].push(Number(pid));
  }
  return found;
}

const emptyOccupants = (): Record<Where, number[]> => ({ inside: [], stale: [], outside: [] });

/**
 * Returns the jail with this namespace. Present jails come first: the number of an ended namespace may have been
 * reused.
 */
function placeOf(
  namespace: number,
  jails: readonly (readonly [JailKey, JailStateFile])[],
): readonly [JailKey, 'inside' | 'stale'] | undefined {
  const inside = jails.find(([, stateFile]) => stateFile.namespace === namespace);
  if (inside !== undefined) return [inside[0], 'inside'];
  const stale = jails.find(([, stateFile]) => stateFile.earlier.includes(namespace));
  return stale && [stale[0], 'stale'];
}

/** Returns the effective uid; absent for a process that is ending. */
function uidOf(pid: string): number | undefined {
  const status = readText(`/proc/${pid}/status`);
  if (status === undefined || statusState(status) === 'Z') return undefined;
  const [, effective] = statusValue(status, 'Uid')?.split(/\s+/) ?? [];
  return effective === undefined ? undefined : Number(effective);
}

/** `mnt:[4026532256]`. */
const namespaceIn = (link: string): number => Number(/\[(\d+)\]/.exec(link)?.[1]);
