/** Failures in the process that builds: the call's error contains the action. */
import type { Cause } from '../../../../packages/base/problem.ts';
import { errnoOf, quoted, reasonOf } from '../../../../packages/base/io/errno.ts';

/**
 * Returns the cause, such as `mount_setattr of "usr": EINVAL (…)`. An error that is not a system error is a
 * bug, and is thrown again.
 */
export function causeOfCall(error: unknown): Cause {
  const { syscall = '', path = '' } = error as NodeJS.ErrnoException;
  const where = path === '' ? syscall : `${syscall} of ${quoted(path)}`;
  const errno = errnoOf(error);
  const full = errno === 'ENOSPC' && syscall === 'unshare';
  const reason = `${where}: ${full ? 'there are as many namespaces as allowed' : reasonOf(error)}`;
  return { reason, errno, ...(full ? { hint: 'raise sysctl user.max_mnt_namespaces' } : {}) };
}
