/** Finds the creator of a process's user namespace. Source: ioctl_nsfs(2), user_namespaces(7). */
import { closeSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { errnoOf } from '../../../packages/base/io/errno.ts';
import type { Errno } from '../../../packages/base/problem.ts';
import { namespaceOwner, namespaceParent, userNamespaceOf, type OpenedFd } from '../syscalls.ts';

/** The kernel allows 32 levels. */
const deepest = 33;
const own = readlinkSync('/proc/self/ns/user');
/** Whether numbers in /proc are those of our pid namespace. */
const isOurProc = readlinkSync('/proc/self') === String(process.pid);
/** Errors of a kernel older than Linux 6.11. */
const unknownCall: ReadonlySet<Errno> = new Set(['ENOSYS', 'EINVAL', 'ENOTTY', 'EOPNOTSUPP']);

/**
 * Returns the uid, in the initial namespace, of the creator of the outermost namespace around a process or thread. `link`
 * is its `/proc/PID/ns/user`, which is read only before Linux 6.11: a process can make its readers wait for ever. Returns
 * undefined if that is our own namespace; ENOENT or ESRCH if the process is gone.
 *
 * Within its own namespace a tenant has other uids, such as its ranges in `/etc/subuid`.
 */
export function userNamespaceMaker(pid: number, link: string): Result<number | undefined, Errno> {
  const asked = isOurProc ? userNamespaceOf(pid) : { error: 'ENOSYS' as const };
  const opened = 'error' in asked && unknownCall.has(asked.error) ? openLink(link) : asked;
  if ('error' in opened) return fail(opened.error);
  if (`user:[${fstatSync(opened.fd).ino}]` !== own) return makerOutside(opened.fd);
  closeSync(opened.fd);
  return ok(undefined);
}

function openLink(link: string): OpenedFd {
  try {
    return { fd: openSync(link, 'r') };
  } catch (error) {
    return { error: errnoOf(error) };
  }
}

/** Walks outwards from `innermost`, which is closed. */
function makerOutside(innermost: number): Result<number | undefined, Errno> {
  let fd = innermost;
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
