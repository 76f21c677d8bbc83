/** Reads the files of the system that `modules deny` changes. */
import { readBounded, decodeText } from '../../../../packages/base/io/regular-file.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';

const bytesMax = 1024 * 1024;

/** Reads the text of a regular file; undefined when there is none. */
export function readOwnFile(path: string): Result<string | undefined, Problem> {
  const read = readBounded(path, bytesMax, { links: 'refuse' });
  if (read.ok) return ok(decodeText(read.value));
  return read.error.errno === 'ENOENT' ? ok(undefined) : read;
}
