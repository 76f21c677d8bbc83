/**
 * The definitions of tenants' own applications. Only the agent writes them, at the request of the tenant, so that root
 * reads nothing that a tenant can replace:
 *
 *     /var/lib/bulkhead/apps/1001.json
 */
import { readdirSync } from 'node:fs';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { pinDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import {
  removeIn,
  removeLeftovers,
  removeTree,
  replaceIn,
} from '../../../packages/base/io/replace-file.ts';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import {
  formatOwnApps,
  ownAppsBytesMax,
  parseOwnApps,
  type KeptOwnApps,
} from '../../policy/apps/own-apps.ts';
import { nameOf, type Account, type Policy } from '../../policy/policy.ts';
import { isSameOwner } from '../../policy/accounts/uid-owner.ts';
import { ensurePrivateDirectory } from '../../sys/files/private-file.ts';

type State = Pick<Paths, 'state'>;
/** Marks of homes by uid; those of accounts that are not known are missing. */
export type Homes = ReadonlyMap<number, string>;

export const ownAppsDirectory = ({ state }: State): string => `${state}/apps`;
const nameOfFile = (uid: number) => `${uid}.json`;

/** Returns the uids of tenants with definitions; none if only root may read that. */
export function ownAppUids(paths: State): Result<readonly number[], Problem> {
  const object = ownAppsDirectory(paths);
  try {
    const uids = readdirSync(object).flatMap((name) => {
      const uid = /^([1-9]\d{0,9})\.json$/.exec(name)?.[1];
      return uid === undefined ? [] : [Number(uid)];
    });
    return ok(uids);
  } catch (error) {
    const cause = causeOf(error);
    const isNone = cause.errno === 'ENOENT' || cause.errno === 'EACCES';
    return isNone ? ok([]) : failed({ action: 'read', object, ...cause });
  }
}

/** Returns what is kept for a uid, whoever has defined it; undefined if there is nothing. */
export function readOwnApps(paths: State, uid: number): Result<KeptOwnApps | undefined, Problem> {
  const object = `${ownAppsDirectory(paths)}/${nameOfFile(uid)}`;
  const bytes = readBounded(object, ownAppsBytesMax, { links: 'refuse' });
  if (!bytes.ok) return bytes.error.errno === 'ENOENT' ? ok(undefined) : bytes;
  const parsed = parseOwnApps(decodeText(bytes.value));
  if (parsed !== undefined) return ok(parsed);
  const hint = 'remove it; the tenant can define its applications again';
  return failed({ action: 'read', object, reason: 'it is damaged', hint });
}

/** Returns why so much is not kept: it could not be read. */
export const excessOf = (kept: KeptOwnApps): Cause | undefined =>
  Buffer.byteLength(formatOwnApps(kept)) > ownAppsBytesMax
    ? { reason: 'the texts of all definitions together are too long', hint: 'shorten some first' }
    : undefined;

/** Replaces what is kept for a uid, and syncs it. Only the agent may. */
export function writeOwnApps(paths: State, uid: number, kept: KeptOwnApps): Result<void, Problem> {
  const path = ownAppsDirectory(paths);
  const ensured = ensurePrivateDirectory(path);
  if (!ensured.ok) return ensured;
  try {
    const pinned = pinDirectory(path, 'refuse');
    if (!pinned.ok) return pinned;
    using directory = pinned.value;
    const name = nameOfFile(uid);
    removeLeftovers(directory, name);
    if (kept.apps.length > 0) {
      const excess = excessOf(kept);
      if (excess !== undefined) return failed({ action: 'keep', object: path, ...excess });
      return replaceIn(directory, name, formatOwnApps(kept), { mode: 0o600 });
    }
    removeIn(directory, name);
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'write', object: path, ...causeOf(error) });
  }
}

/** Whether the account is still the one that has defined the applications. */
export const isOwnerOf = (kept: KeptOwnApps, account: Account, home: string | undefined): boolean =>
  isSameOwner(kept, { name: nameOf({ uid: account.uid, account }), home });

/** A tenant keeps what cannot be read; a uid without an account keeps nothing. */
const isTenants = (
  kept: ReturnType<typeof readOwnApps>,
  account: Account | undefined,
  home: string | undefined,
): boolean =>
  account !== undefined &&
  (!kept.ok || (kept.value !== undefined && isOwnerOf(kept.value, account, home)));

/** Returns the uids with definitions of anyone who is no longer a tenant. */
export function formerOwners(
  paths: State,
  { tenants }: Pick<Policy, 'tenants'>,
  homes: Homes,
): Result<readonly number[], Problem> {
  const known = new Map(tenants.map(({ uid, account }) => [uid, account]));
  const uids = ownAppUids(paths);
  if (!uids.ok) return uids;
  const isFormer = (uid: number) =>
    !isTenants(readOwnApps(paths, uid), known.get(uid), homes.get(uid));
  return ok(uids.value.filter(isFormer));
}

export const removeOwnApps = (paths: State): Result<void, Problem> =>
  removeTree(ownAppsDirectory(paths));
