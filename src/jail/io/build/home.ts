/**
 * The home of a tenant as a descriptor that can be mounted. The tenant can rename anything in its home, and the owner
 * of the directory above can put a link in its place at any moment. So the kernel follows no links here.
 */
import { closeSync, fstatSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { errnoOf } from '../../../../packages/base/io/errno.ts';
import { notRoots, withoutRootsLinks } from '../../../sys/files/roots-links.ts';
import { openWithoutLinks } from '../../../sys/mount-calls.ts';
import type { Account } from '../../../policy/policy.ts';

/** Opens the home; absent if there is no such directory. */
export function openHome({ user, uid, home }: Account): Result<number | undefined, Problem> {
  const cannot = (cause: Cause) => failed({ action: 'mount the home of', object: user, ...cause });
  const path = withoutRootsLinks(home);
  if (!path.ok) return cannot(path.error);
  let fd: number;
  try {
    fd = openWithoutLinks(path.value);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return ok(undefined);
    if (errno !== 'ELOOP') throw error;
    return cannot({ reason: `a symbolic link is on the path ${home}`, errno, hint: notRoots });
  }
  const owner = fstatSync(fd).uid;
  if (owner === uid || owner === 0) return ok(fd);
  closeSync(fd);
  return cannot({ reason: `${home} belongs to uid ${owner}`, hint: 'correct its owner' });
}

/**
 * Opens the directory of a site. It is the tenant's, and each directory above is the tenant's or root's. So nobody else
 * can put another of the tenant's directories in its place.
 */
export function openSiteHome({ uid, home }: Account, site: string): Result<number, Problem> {
  const cannot = (cause: Cause) =>
    failed({ action: 'mount the directory of the site', object: site, ...cause });
  const path = withoutRootsLinks(home);
  if (!path.ok) return cannot(path.error);
  let fd = openWithoutLinks('/');
  let owner = 0;
  try {
    for (const name of path.value.split('/').slice(1)) {
      const above = fd;
      fd = openWithoutLinks(name, above);
      closeSync(above);
      owner = fstatSync(fd).uid;
      if (owner !== 0 && owner !== uid) break;
    }
  } catch (error) {
    closeSync(fd);
    const errno = errnoOf(error);
    const reason = errno && notOpened[errno];
    if (!reason) throw error;
    return cannot({ reason: `${home} ${reason}`, errno, hint: 'make it, or correct the policy' });
  }
  if (owner === uid) return ok(fd);
  closeSync(fd);
  const reason = `${home}, or a directory above it, belongs to uid ${owner}`;
  return cannot({ reason, hint: 'correct its owner' });
}

const notOpened: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is not a directory',
  ELOOP: 'has a symbolic link on its path',
};
