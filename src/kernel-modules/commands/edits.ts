/** Changes to files of the system: all of them or none, and none through a symbolic link. */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { quoted, reasonOf } from '../../sys/errno.ts';
import { directoryProblem, pinDirectory } from '../../sys/files/pinned-directory.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';
import { fail, ok, type Result } from '../../base/result.ts';

export interface FileEdit {
  readonly path: string;
  /** undefined where there is no such file. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

const bytesMax = 1024 * 1024;

/** The text of a regular file; undefined when there is none. */
export function readOwnFile(path: string): Result<string | undefined> {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ok(undefined);
    return fail(`Cannot read ${quoted(path)}: ${reasonOf(error)}`);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return fail(`Cannot use ${quoted(path)}: it is no regular file`);
    if (stat.size > bytesMax)
      return fail(`Cannot use ${quoted(path)}: it has more than ${bytesMax} bytes`);
    return ok(readFileSync(fd, 'utf8'));
  } finally {
    closeSync(fd);
  }
}

/** What was done before the first failure is taken back. Says what failed. */
export function applyEdits(edits: readonly FileEdit[]): string | undefined {
  for (const [index, each] of edits.entries()) {
    const problem = put(each.path, each.after);
    if (problem === undefined) continue;
    return problem + revertEdits(edits.slice(0, index));
  }
  return undefined;
}

/** Says which files could not be put back; empty when all were. */
export function revertEdits(edits: readonly FileEdit[]): string {
  const problems = edits.map(({ path, before }) => put(path, before));
  return problems
    .filter((each) => each !== undefined)
    .map((each) => `; to take it back failed as well: ${each}`)
    .join('');
}

function put(path: string, text: string | undefined): string | undefined {
  const action = text === undefined ? 'remove' : 'write';
  try {
    if (text !== undefined) mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const pinned = pinDirectory(dirname(path));
    if (!pinned.ok) return pinned.error;
    using directory = pinned.value;
    const problem = directoryProblem(directory);
    if (problem !== undefined) return `Cannot ${action} ${quoted(path)}: ${problem}`;
    if (text === undefined) rmSync(directory.at(basename(path)), { force: true });
    else replaceFile(directory.at(basename(path)), text);
    return undefined;
  } catch (error) {
    return `Cannot ${action} ${quoted(path)}: ${reasonOf(error)}`;
  }
}
