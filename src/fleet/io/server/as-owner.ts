/**
 * Root becomes the owner of the centre's directory before it opens a database there: SQLite follows links, and writes
 * beside what it reads.
 */
import { statSync } from 'node:fs';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';

export function becomeOwnerOf(directory: string): Result<void, Problem> {
  const action = 'use the directory';
  try {
    const { uid, gid } = statSync(directory);
    if (process.geteuid?.() !== 0 || uid === 0) return ok(undefined);
    process.setgroups?.([]);
    process.setgid?.(gid);
    process.setuid?.(uid);
    return ok(undefined);
  } catch (error) {
    return failed({ action, object: directory, ...causeOf(error) });
  }
}
