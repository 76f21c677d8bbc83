/** The file that lists disabled applications. */
import { existsSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { applyFileChanges, file } from '../../sys/files/file-set.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import { formatDisabled, parseDisabled } from '../core/disabled.ts';

const bytesMax = 2 ** 20;

type Keys = ReadonlySet<string>;

export function readDisabled(path: string): Result<Keys, Problem> {
  if (!existsSync(path)) return ok(new Set<string>());
  const decode = (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8'));
  const read = readTextFile(path, { bytesMax, decode }, 'trusted');
  if (!read.ok) return read;
  const parsed = parseDisabled(read.value);
  if (!('badLine' in parsed)) return ok(parsed);
  const reason = `line ${parsed.badLine} is not understood`;
  return failed({ action: 'read', object: path, reason, hint: 'correct it, or remove it' });
}

/** Writes the list, or removes the file of an empty one. */
export const writeDisabled = (path: string, keys: Keys): Result<void, Problem> =>
  applyFileChanges([{ path, ...(keys.size > 0 && { to: file(formatDisabled(keys)) }) }]);
