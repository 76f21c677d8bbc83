/** Changes to the limits that tenants and resellers set for sites: each is on disk before it takes effect. */
import { lstatSync } from 'node:fs';
import { causedBy, failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Policy } from '../policy/policy.ts';
import {
  areSameOwners,
  formatSiteLimits,
  setterOf,
  siteLimitBytesMax,
  type SiteLimitOwners,
  type SiteLimits,
} from '../policy/sites/site-limits.ts';
import { causeOf } from '../../packages/base/io/errno.ts';
import { lockFile } from '../sys/files/flock.ts';
import { pinDirectory, type PinnedDirectory } from '../../packages/base/io/pinned-directory.ts';
import { ensurePrivateDirectory } from '../sys/files/private-file.ts';
import {
  removeIfThere,
  removeIn,
  removeLeftovers,
  removeTree,
  replaceIn,
} from '../../packages/base/io/replace-file.ts';
import type { Paths } from './paths.ts';
import {
  currentOwners,
  keptFiles,
  readSiteLimitFile,
  siteLimitDirectory,
  siteLimitFile,
} from './site-limits.ts';

/** The agent must not sleep for long. */
const lockMilliseconds = 500;

/**
 * Changes the limits that one of `holders` has set for a tenant's sites, and saves them before it returns. `change`
 * gets no limits if there are none, or only a former owner's.
 */
export function changeSiteLimits<E>(
  paths: Paths,
  uid: number,
  holders: SiteLimitOwners,
  change: (sites: SiteLimits) => Result<SiteLimits, E>,
): Result<void, E | Problem> {
  const ensured = ensurePrivateDirectory(siteLimitDirectory(paths));
  if (!ensured.ok) return ensured;
  return underLock<E>(paths, (directory) => {
    const file = { uid, setter: setterOf(holders) };
    const name = siteLimitFile(file);
    removeLeftovers(directory, name);
    const read = isThere(directory, name) ? readSiteLimitFile(paths, file) : undefined;
    const kept = read?.ok === true && areSameOwners(read.value, holders) ? read.value : undefined;
    const changed = change(kept?.sites ?? new Map());
    if (!changed.ok) return changed;
    if (changed.value.size === 0) {
      removeIn(directory, name);
      return ok(undefined);
    }
    const text = formatSiteLimits({ ...holders, sites: changed.value });
    if (Buffer.byteLength(text) > siteLimitBytesMax) return tooMuch;
    return replaceIn(directory, name, text, { mode: 0o600 });
  });
}

const tooMuch = failed({
  action: 'keep limits of sites',
  reason: 'they are too many',
  hint: 'unset some of them first',
});

const isThere = (directory: PinnedDirectory, name: string) =>
  lstatSync(directory.at(name), { throwIfNoEntry: false }) !== undefined;

function underLock<E>(
  paths: Paths,
  use: (directory: PinnedDirectory) => Result<void, E | Problem>,
): Result<void, E | Problem> {
  const path = siteLimitDirectory(paths);
  const action = 'change limits of sites in';
  try {
    const pinned = pinDirectory(path, 'refuse');
    if (!pinned.ok) return pinned;
    using directory = pinned.value;
    const lock = lockFile(directory.at('lock'), {
      waitMs: lockMilliseconds,
      shownAs: `${path}/lock`,
    });
    if (!lock.ok) return failed({ action, object: path, ...causedBy(lock.error) });
    using _lock = lock.value;
    return use(directory);
  } catch (error) {
    return failed({ action, object: path, ...causeOf(error) });
  }
}

/** Removes limits set by anyone who is no longer a tenant, or no longer the reseller of that tenant. */
export function forgetFormerTenants(
  paths: Paths,
  { tenants, resellers, panelIsUnknown }: Pick<Policy, 'tenants' | 'resellers' | 'panelIsUnknown'>,
): Result<void, Problem> {
  if (keptFiles(paths).length === 0) return ok(undefined);
  return underLock(paths, (directory) => {
    const files = keptFiles(paths);
    const kept = files.flatMap((file) => {
      const read = readSiteLimitFile(paths, file);
      return read.ok ? [{ uid: file.uid, kept: read.value, file }] : [];
    });
    const accounts = [...tenants, ...resellers].flatMap(({ account }) => account ?? []);
    const areCurrent = currentOwners(paths, kept, accounts);
    const known = new Map(tenants.map((each) => [each.uid, each]));
    const isFormer = (each: (typeof kept)[number]) => {
      const setter = each.kept.reseller?.uid;
      const reseller = known.get(each.uid)?.reseller;
      // The panel's record may be back at the next apply.
      const mayBeOwner = panelIsUnknown === true && reseller === undefined;
      const isOwner = setter === undefined || reseller === setter || mayBeOwner;
      return !isOwner || !areCurrent(each);
    };
    const former = new Set(kept.filter(isFormer).map(({ file }) => file));
    for (const file of files) {
      if (!known.has(file.uid) || former.has(file))
        removeIfThere(directory.at(siteLimitFile(file)));
    }
    return ok(undefined);
  });
}

export const releaseSiteLimits = (paths: Paths): Result<void, Problem> =>
  removeTree(siteLimitDirectory(paths));
