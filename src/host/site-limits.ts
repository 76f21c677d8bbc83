/**
 * The limits that tenants set for their own sites, a file each in a directory that root alone can enter:
 *
 *     /var/lib/bulkhead/site-limits/1001.json
 *
 * A file counts only for whoever had the uid when it was written. Changing them is in keep-site-limits.ts: a lock needs
 * system calls by FFI, which take long to load.
 */
import { readdirSync } from 'node:fs';
import { failed, type Problem } from '../base/problem.ts';
import { ok, type Result } from '../base/result.ts';
import { nameOf, type Account } from '../policy/policy.ts';
import {
  isSameHolder,
  parseSiteLimits,
  siteLimitBytesMax,
  type KeptSiteLimits,
  type SiteLimitHolder,
  type SiteLimits,
} from '../policy/sites/site-limits.ts';
import { readBounded, textOf } from '../sys/files/regular-file.ts';
import { markHomes } from './accounts/homes.ts';
import type { Paths } from './paths.ts';

export const siteLimitDirectory = ({ state }: Paths) => `${state}/site-limits`;
export const siteLimitFile = (uid: number) => `${uid}.json`;

export interface ReadSiteLimits {
  readonly limits: ReadonlyMap<number, SiteLimits>;
  /** Of files that could not be read; what they contain is not in force. */
  readonly problems: readonly Problem[];
}

/** Without those of former holders of a uid. */
export function readSiteLimits(paths: Paths, accounts: readonly Account[]): ReadSiteLimits {
  const uids = keptUids(paths);
  const limits = new Map<number, SiteLimits>();
  const problems: Problem[] = [];
  const holders = uids.length === 0 ? undefined : holdersOf(paths, uids, accounts);
  for (const uid of uids) {
    const read = readSiteLimitFile(paths, uid);
    // Its tenant has unset the last one meanwhile.
    if (!read.ok && read.error.errno === 'ENOENT') continue;
    if (!read.ok) problems.push(read.error);
    else if (holders !== undefined && isSameHolder(read.value, holders(uid)))
      limits.set(uid, read.value.sites);
  }
  return { limits, problems };
}

export function holdersOf(
  paths: Paths,
  uids: readonly number[],
  accounts: readonly Account[],
): (uid: number) => SiteLimitHolder {
  const wanted = new Set(uids);
  const byUid = new Map(
    accounts
      .filter(({ uid }) => wanted.has(uid))
      .toReversed()
      .map((each) => [each.uid, each]),
  );
  const homes = new Map(markHomes([...byUid.values()], paths));
  return (uid) => ({ name: nameOf({ uid, account: byUid.get(uid) }), home: homes.get(uid) });
}

/** None if there is no directory, or this is not root. */
export function keptUids(paths: Paths): readonly number[] {
  try {
    return readdirSync(siteLimitDirectory(paths))
      .flatMap((name) => /^(\d{1,10})\.json$/.exec(name)?.[1] ?? [])
      .map(Number);
  } catch {
    return [];
  }
}

export function readSiteLimitFile(paths: Paths, uid: number): Result<KeptSiteLimits, Problem> {
  const object = `${siteLimitDirectory(paths)}/${siteLimitFile(uid)}`;
  const bytes = readBounded(object, siteLimitBytesMax, { links: 'refuse' });
  if (!bytes.ok) return bytes;
  const parsed = parseSiteLimits(textOf(bytes.value));
  if (parsed !== undefined) return ok(parsed);
  const hint = 'remove it; the tenant can set its limits again';
  return failed({ action: 'read', object, reason: 'it is damaged', hint });
}
