/**
 * Files for root only: mode 0600, in a directory of ours with mode 0700. Neither may be a symbolic
 * link or belong to somebody else, since we write there as root.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  type Stats,
} from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { isTrusted, pinDirectory } from '../../../packages/base/io/pinned-directory.ts';

const { O_RDWR, O_NOFOLLOW, O_CREAT, O_NONBLOCK } = constants;
const permissions = 0o777;

/** Makes the directory if it is missing. Directories above it are made with mode 0755. */
export function ensurePrivateDirectory(path: string): Result<undefined, Problem> {
  const cannot = (cause: Cause) => failed({ ...cause, action: 'use the directory', object: path });
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    makeDirectory(path);
    const pinned = pinDirectory(path, 'refuse');
    if (!pinned.ok) return cannot(pinned.error);
    using directory = pinned.value;
    const problem = makePrivate(directory.fd, 0o700, ownerProblem);
    return problem === undefined ? ok(undefined) : cannot(problem);
  } catch (error) {
    return cannot(causeOf(error));
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** Makes the file, empty, if it is missing. */
export function ensurePrivateFile(path: string): Result<undefined, Problem> {
  const cannot = (cause: Cause) => failed({ ...cause, action: 'use', object: path });
  try {
    const fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    try {
      const problem = makePrivate(fd, 0o600, fileProblem);
      return problem === undefined ? ok(undefined) : cannot(problem);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return cannot(causeOf(error));
  }
}

type Check = (stat: Stats) => Cause | undefined;

/** Sets the mode. It refuses a file of somebody else before it changes the mode. */
function makePrivate(fd: number, mode: number, check: Check): Cause | undefined {
  const stat = fstatSync(fd);
  const problem = check(stat);
  if (problem === undefined && (stat.mode & permissions) !== mode) fchmodSync(fd, mode);
  return problem;
}

function ownerProblem({ uid }: Stats): Cause | undefined {
  return isTrusted(uid)
    ? undefined
    : { reason: `it belongs to uid ${uid}`, hint: 'run chown root on it' };
}

function fileProblem(stat: Stats): Cause | undefined {
  if (!stat.isFile()) return { reason: 'it is not a regular file', hint: 'remove it' };
  if (stat.nlink > 1)
    return { reason: 'it has a second name, a hard link', hint: 'remove one of them' };
  return ownerProblem(stat);
}
