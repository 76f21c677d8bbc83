/** The record of changed qdiscs, in a directory that only root enters. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { removeFile, replaceFile } from '../../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../../host/paths.ts';
import { readTextFile } from '../../../sys/files/text-file.ts';
import {
  emptyRecord,
  formatRecord,
  isEmptyRecord,
  parseRecord,
  type QdiscRecord,
} from '../../core/qdiscs/record.ts';
import { bootOf } from '../boot.ts';
import { networkStateOf } from '../network-state.ts';

const format = {
  bytesMax: 2 ** 20,
  decode: (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8')),
};

const recordFile = (paths: Paths) => `${networkStateOf(paths)}/qdiscs.json`;

export function readQdiscRecord(paths: Paths): Result<QdiscRecord, Problem> {
  const object = recordFile(paths);
  const read = readTextFile(object, format, 'trusted');
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok(emptyRecord) : read;
  const parsed = parseRecord(read.value, bootOf(paths));
  return parsed.ok ? parsed : failed({ ...parsed.error, action: 'use the record', object });
}

export const writeQdiscRecord = (paths: Paths, record: QdiscRecord): Result<void, Problem> =>
  isEmptyRecord(record)
    ? removeFile(recordFile(paths))
    : replaceFile(recordFile(paths), formatRecord(record, bootOf(paths)), 0o600);
