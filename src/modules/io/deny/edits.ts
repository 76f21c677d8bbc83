/** Changes to files of the system: all of them or none, and none through a symbolic link. */
import { mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { directoryProblem, pinDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { readBounded, textOf } from '../../../../packages/base/io/regular-file.ts';
import { removeIfThere, replaceIn } from '../../../../packages/base/io/replace-file.ts';
import { causedBy, failed, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';

export interface FileEdit {
  readonly path: string;
  /** The text before; undefined where there is no such file. */
  readonly before: string | undefined;
  readonly after: string | undefined;
}

const bytesMax = 1024 * 1024;

/** Reads the text of a regular file; undefined when there is none. */
export function readOwnFile(path: string): Result<string | undefined, Problem> {
  const read = readBounded(path, bytesMax, { links: 'refuse' });
  if (read.ok) return ok(textOf(read.value));
  return read.error.errno === 'ENOENT' ? ok(undefined) : read;
}

/** Applies the edits; after a failure, reverts the earlier ones. */
export function applyEdits(edits: readonly FileEdit[]): Result<void, Problem> {
  for (const [index, each] of edits.entries()) {
    const done = put(each.path, each.after);
    if (done.ok) continue;
    const left = notRestored(revertEdits(edits.slice(0, index)));
    return left.length === 0 ? done : fail({ ...done.error, hint: left.join('; ') });
  }
  return ok(undefined);
}

/** Reverts the edits; returns the problems of files that could not be restored. */
export const revertEdits = (edits: readonly FileEdit[]): readonly Problem[] =>
  edits
    .map(({ path, before }) => put(path, before))
    .flatMap((done) => (done.ok ? [] : [done.error]));

export const notRestored = (problems: readonly Problem[]): readonly string[] =>
  problems.map((each) => `restoring failed as well: ${causedBy(each).reason}`);

function put(path: string, text: string | undefined): Result<void, Problem> {
  const action = text === undefined ? 'remove' : 'write';
  const cannot = (cause: Cause) => failed({ ...cause, action, object: path });
  try {
    if (text !== undefined) mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const pinned = pinDirectory(dirname(path));
    if (!pinned.ok) return pinned;
    using directory = pinned.value;
    const problem = directoryProblem(directory);
    if (problem !== undefined) return cannot(problem);
    const name = basename(path);
    if (text !== undefined) return replaceIn(directory, name, text, { mode: 0o644 });
    removeIfThere(directory.at(name));
    return ok(undefined);
  } catch (error) {
    return cannot(causeOf(error));
  }
}
