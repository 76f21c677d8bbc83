/** Opens and keeps open a directory whose path contains no symbolic link. */
import { closeSync, constants, openSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoCause } from '../../../packages/base/io/errno.ts';
import { openBeneath } from '../syscalls.ts';
import { pinned, type PinnedDirectory } from '../../../packages/base/io/pinned-directory.ts';

const { O_RDONLY, O_DIRECTORY } = constants;
const O_CLOEXEC = 0o2000000;

export function pinWithoutLinks(path: string): Result<PinnedDirectory, Problem> {
  const cannot = { action: 'open the directory', object: path };
  let root: number;
  try {
    root = openSync('/', O_RDONLY | O_DIRECTORY);
  } catch (error) {
    return failed({ ...cannot, ...causeOf(error) });
  }
  const opened = openBeneath(root, path.replace(/^\/+/, ''), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  closeSync(root);
  if ('fd' in opened) return ok(pinned(opened.fd, path));
  const cause = errnoCause(opened.error);
  const isLink = opened.error === 'ELOOP';
  return failed({ ...cannot, ...cause, ...(isLink ? { reason: aLink } : {}) });
}

const aLink = 'a symbolic link is on its path';
