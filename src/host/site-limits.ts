/**
 * The limits that tenants set for their own sites, and resellers for their tenants' sites. Each has a file in a
 * directory that only root can enter:
 *
 *     /var/lib/bulkhead/site-limits/1001.json
 *     /var/lib/bulkhead/site-limits/1001.reseller.json
 *
 * A file counts only for whoever had the uids when it was written. keep-site-limits.ts changes these files: a lock
 * needs system calls by FFI, which take long to load.
 */
import { readdirSync } from 'node:fs';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { SiteLimitSetter } from '../policy/document.ts';
import type { UidOwner } from '../policy/accounts/uid-owner.ts';
import { nameOf, type Account } from '../policy/policy.ts';
import {
  areSameOwners,
  parseSiteLimits,
  setterOf,
  siteLimitBytesMax,
  type KeptSiteLimits,
  type SetSiteLimits,
} from '../policy/sites/site-limits.ts';
import { readBounded, decodeText } from '../../packages/base/io/regular-file.ts';
import { markHomes } from './accounts/homes.ts';
import type { Paths } from './paths.ts';

export const siteLimitDirectory = ({ state }: Paths) => `${state}/site-limits`;

/** The owner of the sites, and the setter of the limits. */
export interface SiteLimitFile {
  readonly uid: number;
  readonly setter: SiteLimitSetter;
}

export const siteLimitFile = ({ uid, setter }: SiteLimitFile) =>
  setter === 'tenant' ? `${uid}.json` : `${uid}.${setter}.json`;

export interface ReadSiteLimits {
  /** The limits by the tenant's uid. */
  readonly limits: ReadonlyMap<number, SetSiteLimits>;
  /** Problems of files that could not be read; the limits in them are not in force. */
  readonly problems: readonly Problem[];
}

/** Reads the limits, without limits that former owners of a uid have set. */
export function readSiteLimits(paths: Paths, accounts: readonly Account[]): ReadSiteLimits {
  const problems: Problem[] = [];
  const kept = keptFiles(paths).flatMap((file) => {
    const read = readSiteLimitFile(paths, file);
    if (read.ok) return [{ uid: file.uid, kept: read.value }];
    // Somebody removed the last limit meanwhile.
    if (read.error.errno !== 'ENOENT') problems.push(read.error);
    return [];
  });
  const areCurrent = currentOwners(paths, kept, accounts);
  const limits = new Map<number, SetSiteLimits>();
  for (const each of kept.filter(areCurrent)) {
    const { reseller, sites } = each.kept;
    const set = reseller === undefined ? { tenant: sites } : { reseller: { ...reseller, sites } };
    limits.set(each.uid, { ...limits.get(each.uid), ...set });
  }
  return { limits, problems };
}

interface Kept {
  readonly uid: number;
  readonly kept: KeptSiteLimits;
}

/** Checks whether the tenant and the setter of its limits still have their uids. */
export function currentOwners(
  paths: Paths,
  all: readonly Kept[],
  accounts: readonly Account[],
): (kept: Kept) => boolean {
  const uids = all.flatMap(({ uid, kept }) => [uid, ...(kept.reseller ? [kept.reseller.uid] : [])]);
  const holders = ownersOf(paths, uids, accounts);
  return ({ uid, kept }) => {
    const setter = kept.reseller?.uid;
    const reseller = setter === undefined ? {} : { reseller: { uid: setter, ...holders(setter) } };
    return areSameOwners(kept, { ...holders(uid), ...reseller });
  };
}

function ownersOf(
  paths: Paths,
  uids: readonly number[],
  accounts: readonly Account[],
): (uid: number) => UidOwner {
  const wanted = new Set(uids);
  const byUid = new Map(
    accounts
      .filter(({ uid }) => wanted.has(uid))
      .toReversed()
      .map((each) => [each.uid, each]),
  );
  const homes = new Map(wanted.size === 0 ? [] : markHomes([...byUid.values()], paths));
  return (uid) => {
    const home = homes.get(uid);
    return { name: nameOf({ uid, account: byUid.get(uid) }), ...(home !== undefined && { home }) };
  };
}

/** Lists the files. Returns none if there is no directory, or this process is not root's. */
export function keptFiles(paths: Paths): readonly SiteLimitFile[] {
  try {
    return readdirSync(siteLimitDirectory(paths)).flatMap((name) => {
      const [, uid, reseller] = /^(\d{1,10})(\.reseller)?\.json$/.exec(name) ?? [];
      if (uid === undefined) return [];
      return [{ uid: Number(uid), setter: reseller === undefined ? 'tenant' : 'reseller' }];
    });
  } catch {
    return [];
  }
}

export function readSiteLimitFile(
  paths: Paths,
  file: SiteLimitFile,
): Result<KeptSiteLimits, Problem> {
  const object = `${siteLimitDirectory(paths)}/${siteLimitFile(file)}`;
  const bytes = readBounded(object, siteLimitBytesMax, { links: 'refuse' });
  if (!bytes.ok) return bytes;
  const parsed = parseSiteLimits(decodeText(bytes.value));
  if (parsed !== undefined && setterOf(parsed) === file.setter) return ok(parsed);
  const who = file.setter === 'tenant' ? 'the tenant' : 'its reseller';
  const hint = `remove it; ${who} can set limits again`;
  return failed({ action: 'read', object, reason: 'it is damaged', hint });
}
