/** Who made the user namespace that a process is in. Source: ioctl_nsfs(2), user_namespaces(7). */
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { fail, ok, type Result } from '../../base/result.ts';
import { errnoOf } from '../errno.ts';
import type { Errno } from '../../base/problem.ts';
import { namespaceOwner, namespaceParent } from '../syscalls.ts';

/** The kernel allows 32 levels. */
const deepest = 33;
const own = readlinkSync('/proc/self/ns/user');

/**
 * The uid, as the initial namespace knows it, of whoever made the outermost namespace that `link` (of
 * `/proc/PID/ns/user`) is in; nothing where that is our own. ENOENT where the process is gone.
 *
 * Within a namespace of its making a tenant has other uids, such as those of `/etc/subuid`.
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
