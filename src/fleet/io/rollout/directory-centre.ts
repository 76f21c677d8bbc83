/**
 * A published directory as a centre: hosts fetch the record with their releases, as `rollout.json`. A lock fences
 * programs that run at the same time; it is for one file system, as git and rsync copy no locks.
 */
import { join } from 'node:path';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { underLock } from '../../../sys/files/under-lock.ts';
import type { Centre, Put, StoredRecord } from '../../core/rollout/centre.ts';
import { parseRecord, parseRecordFile, recordCharsMax } from '../../core/rollout/parse-record.ts';

export const rolloutFile = 'rollout.json';

export const rolloutLock = (directory: string): string => join(directory, `.${rolloutFile}.lock`);

/** Writes the record. Whoever calls it has the lock. */
export const writeRollout = (directory: string, text: string): Result<void, Problem> =>
  replaceFile(join(directory, rolloutFile), text, 0o644);

export const directoryCentre = (directory: string): Centre => ({
  record: () => Promise.resolve(readStored(directory)),
  put: (text, expected) => Promise.resolve(put(directory, text, expected)),
});

/** The number of a record is its own. One that is damaged has the number -1: whoever replaces it has seen it. */
function readStored(directory: string): Result<StoredRecord | undefined, Problem> {
  const read = readBounded(join(directory, rolloutFile), recordCharsMax);
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok(undefined) : read;
  const text = decodeText(read.value);
  const file = parseRecordFile(text);
  const record = file.ok ? parseRecord(file.value.document) : file;
  return ok({ text, sequence: record.ok ? record.value.sequence : -1 });
}

function put(directory: string, text: string, expected: number): Result<Put, Problem> {
  return underLock<Put>(rolloutLock(directory), () => {
    const last = readStored(directory);
    if (!last.ok) return last;
    if ((last.value?.sequence ?? 0) !== expected) return ok({ kind: 'conflict' });
    const written = writeRollout(directory, text);
    if (!written.ok) return written;
    const stored = readStored(directory);
    return stored.ok ? ok({ kind: 'stored', sequence: stored.value?.sequence ?? -1 }) : stored;
  });
}
