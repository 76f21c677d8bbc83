/** Which processes of tenants are in their jail, in one that has been replaced, or in none. */
import { readdirSync, readlinkSync } from 'node:fs';
import { readText } from '../../sys/files/read.ts';
import { statusState, statusValue } from '../../sys/processes/process-status.ts';
import type { Mark } from '../core/mark.ts';

export interface Occupants {
  readonly inside: readonly number[];
  /** In a jail as it was before. */
  readonly stale: readonly number[];
  /** Not in a jail of the tenant at all: whoever has its uid can reach the jail by way of them, and they see the host. */
  readonly outside: readonly number[];
}

type Where = keyof Occupants;

/** By uid, for those with a mark. */
export function findOccupants(marks: ReadonlyMap<number, Mark>): ReadonlyMap<number, Occupants> {
  const found = new Map([...marks.keys()].map((uid) => [uid, emptyOccupants()] as const));
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const uid = uidOf(name);
    const mark = uid === undefined ? undefined : marks.get(uid);
    if (uid === undefined || mark === undefined) continue;
    const namespace = namespaceOf(name);
    if (namespace !== undefined) found.get(uid)?.[whereIs(namespace, mark)].push(Number(name));
  }
  return found;
}

const emptyOccupants = (): Record<Where, number[]> => ({ inside: [], stale: [], outside: [] });

function whereIs(namespace: number, { namespace: current, earlier }: Mark): Where {
  if (namespace === current) return 'inside';
  return earlier.includes(namespace) ? 'stale' : 'outside';
}

/** The effective uid; absent for one that is ending. */
function uidOf(pid: string): number | undefined {
  const status = readText(`/proc/${pid}/status`);
  if (status === undefined || statusState(status) === 'Z') return undefined;
  const [, effective] = statusValue(status, 'Uid')?.split(/\s+/) ?? [];
  return effective === undefined ? undefined : Number(effective);
}

/** `mnt:[4026532256]`. */
function namespaceOf(pid: string): number | undefined {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/mnt`))?.[1]);
  } catch {
    return undefined;
  }
}
