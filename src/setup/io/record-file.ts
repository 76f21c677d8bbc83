/** The record of a setup on disk. It is replaced whole, so a reader finds the old one or the new one. */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
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

export const writeRecord = (
  paths: Pick<Paths, 'state'>,
  record: SetupRecord,
): Result<void, Problem> => replaceStateFile(recordFile(paths), recordText(record));
