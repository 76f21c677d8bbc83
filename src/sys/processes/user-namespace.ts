/** Finds the creator of a process's user namespace. Source: ioctl_nsfs(2), user_namespaces(7). */
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { fail, ok, type Result } from '../../base/result.ts';
import { errnoOf } from '../errno.ts';
import type { Errno } from '../../base/problem.ts';
import { namespaceOwner, namespaceParent } from '../syscalls.ts';

/** The kernel allows 32 levels. */
const deepest = 33;
const own = readlinkSync('/proc/self/ns/user');

/**
 * Returns the uid, in the initial namespace, of the creator of the outermost namespace around `link`
 * (`/proc/PID/ns/user`). Returns undefined if that is our own namespace; ENOENT if the process is gone.
 *
 * Within its own namespace a tenant has other uids, such as its ranges in `/etc/subuid`.
 */
export function userNamespaceMaker(link: string): Result<number | undefined, Errno> {
  let fd: number;
  try {
    if (readlinkSync(link) === own) return ok(undefined);
    fd = openSync(link, 'r');
  } catch (error) {
    return fail(errnoOf(error));
  }
  let maker: number | undefined;
  for (let level = 0; level < deepest; level++) {
    const owner = namespaceOwner(fd);
    const parent = namespaceParent(fd);
    closeSync(fd);
    // The outermost one that can be seen is our own, and EPERM lies above it.
    if ('error' in parent) return parent.error === 'EPERM' ? ok(maker) : fail(parent.error);
    fd = parent.fd;
    if ('error' in owner) {
      closeSync(fd);
      return fail(owner.error);
    }
    maker = owner.uid;
  }
  closeSync(fd);
  return fail('ELOOP');
}
