/** The record of a setup on disk. It is replaced whole, so a reader finds the old one or the new one. */
import { mkdirSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../host/paths.ts';
import type { Answers } from '../core/answers.ts';
import { parseRecord, recordText, type SetupRecord } from '../core/record.ts';

export const recordFile = ({ state }: Pick<Paths, 'state'>): string => `${state}/setup.json`;

/** Two policies of 16 MiB and what surrounds them. */
const bytesMax = 80 * 2 ** 20;

/** Returns undefined if there is none. A damaged one is an error: what it says is not done again by chance. */
export function readRecord(
  paths: Pick<Paths, 'state'>,
  defaults: Answers,
): Result<SetupRecord | undefined, Problem> {
  const file = recordFile(paths);
  const read = readBounded(file, bytesMax, { links: 'refuse' });
  if (!read.ok) {
    if (read.error.errno === 'ENOENT' || read.error.errno === 'ENOTDIR') return ok(undefined);
    return failed({ ...read.error, action: 'read the record of the setup' });
  }
  const record = parseRecord(decodeText(read.value), defaults);
  if (record !== undefined) return ok(record);
  const reason = 'it is damaged, or of another version';
  const hint = 'move it away; then setup knows nothing of earlier runs, and cannot undo them';
  return failed({ action: 'read the record of the setup', object: file, reason, hint });
}

export function writeRecord(
  paths: Pick<Paths, 'state'>,
  record: SetupRecord,
): Result<void, Problem> {
  try {
    mkdirSync(paths.state, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'create the directory', object: paths.state, ...causeOf(error) });
  }
  return replaceFile(recordFile(paths), recordText(record), 0o600);
}
