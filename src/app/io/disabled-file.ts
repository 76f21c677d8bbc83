/** The file that lists disabled applications. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { applyFileChanges, file, removeEmptyDirectories } from '../../sys/files/file-set.ts';
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
export function writeDisabled(path: string, keys: Keys): Result<void, Problem> {
  const to = keys.size > 0 ? { to: file(formatDisabled(keys)) } : {};
  const written = applyFileChanges([{ path, ...to }]);
  if (keys.size === 0) removeEmptyDirectories([dirname(path)]);
  return written;
}

/** Forgets applications that are not there any more: another account may get the uid. */
export function keepDisabled(
  path: string,
  isKnown: (key: string) => boolean,
): Result<void, Problem> {
  const keys = readDisabled(path);
  if (!keys.ok) return keys;
  const kept = new Set([...keys.value].filter(isKnown));
  return kept.size === keys.value.size ? ok(undefined) : writeDisabled(path, kept);
}
