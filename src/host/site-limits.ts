/**
 * The limits that tenants set for their own sites, and resellers for those of their tenants, a file each in a directory that
 * root alone can enter:
 *
 *     /var/lib/bulkhead/site-limits/1001.json
 *     /var/lib/bulkhead/site-limits/1001.reseller.json
 *
 * A file counts only for whoever had the uids when it was written. Changing them is in keep-site-limits.ts: a lock needs
 * system calls by FFI, which take long to load.
 */
import { readdirSync } from 'node:fs';
import { failed, type Problem } from '../base/problem.ts';
import { ok, type Result } from '../base/result.ts';
import type { SiteLimitSetter } from '../policy/document.ts';
import { nameOf, type Account } from '../policy/policy.ts';
import {
  areSameHolders,
  parseSiteLimits,
  setterOf,
  siteLimitBytesMax,
  type KeptSiteLimits,
  type SetSiteLimits,
  type SiteLimitHolder,
} from '../policy/sites/site-limits.ts';
import { readBounded, textOf } from '../sys/files/regular-file.ts';
import { markHomes } from './accounts/homes.ts';
import type { Paths } from './paths.ts';

export const siteLimitDirectory = ({ state }: Paths) => `${state}/site-limits`;

/** Of whose sites the limits are, and who has set them. */
export interface SiteLimitFile {
  readonly uid: number;
  readonly setter: SiteLimitSetter;
}

export const siteLimitFile = ({ uid, setter }: SiteLimitFile) =>
  setter === 'tenant' ? `${uid}.json` : `${uid}.${setter}.json`;

export interface ReadSiteLimits {
  /** By the uid of the tenant. */
  readonly limits: ReadonlyMap<number, SetSiteLimits>;
  /** Of files that could not be read; what they contain is not in force. */
  readonly problems: readonly Problem[];
}

/** Without those of former holders of a uid. */
export function readSiteLimits(paths: Paths, accounts: readonly Account[]): ReadSiteLimits {
  const problems: Problem[] = [];
  const kept = keptFiles(paths).flatMap((file) => {
    const read = readSiteLimitFile(paths, file);
    if (read.ok) return [{ uid: file.uid, kept: read.value }];
    // The last one has been unset meanwhile.
    if (read.error.errno !== 'ENOENT') problems.push(read.error);
    return [];
  });
  const areCurrent = currentHolders(paths, kept, accounts);
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

/** Tells whether the tenant and who has set its limits still have their uids. */
export function currentHolders(
  paths: Paths,
  all: readonly Kept[],
  accounts: readonly Account[],
): (kept: Kept) => boolean {
  const uids = all.flatMap(({ uid, kept }) => [uid, ...(kept.reseller ? [kept.reseller.uid] : [])]);
  const holders = holdersOf(paths, uids, accounts);
  return ({ uid, kept }) => {
    const setter = kept.reseller?.uid;
    const reseller = setter === undefined ? {} : { reseller: { uid: setter, ...holders(setter) } };
    return areSameHolders(kept, { ...holders(uid), ...reseller });
  };
}

function holdersOf(
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
  const homes = new Map(wanted.size === 0 ? [] : markHomes([...byUid.values()], paths));
  return (uid) => {
    const home = homes.get(uid);
    return { name: nameOf({ uid, account: byUid.get(uid) }), ...(home !== undefined && { home }) };
  };
}

/** None if there is no directory, or this is not root. */
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
  const parsed = parseSiteLimits(textOf(bytes.value));
  if (parsed !== undefined && setterOf(parsed) === file.setter) return ok(parsed);
  const who = file.setter === 'tenant' ? 'the tenant' : 'its reseller';
  const hint = `remove it; ${who} can set limits again`;
  return failed({ action: 'read', object, reason: 'it is damaged', hint });
}
