/** Reads the history of a tenant that another host has exported: anybody may have written the file. */
import { createHash } from 'node:crypto';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { HostSeal } from '../../cli/capability.ts';
import { unpack } from '../../store/moved/moved-file.ts';
import type { MovedRecord } from '../../store/moved/moved-record.ts';
import { parseMovedRecords, type ParseMovedOptions } from '../../store/moved/parse-moved.ts';
import { historyFileBytesMax, parseHistoryFile, type HistoryFile } from './history-file.ts';

const action = 'import the history';

export interface ReadHistoryFile {
  readonly file: HistoryFile;
  readonly records: readonly MovedRecord[];
}

/** Reads the whole file, and checks everything in it but who made it. */
export function readHistoryFile(
  object: string,
  options: ParseMovedOptions,
): Result<ReadHistoryFile, Problem> {
  const wrong = (cause: Cause) => failed({ action, object, ...cause });
  const bytes = readBounded(object, historyFileBytesMax);
  if (!bytes.ok) return bytes;
  const file = parseHistoryFile(decodeText(bytes.value));
  if (!file.ok) return wrong(file.error);
  const records = recordsIn(file.value, options);
  return records.ok ? ok({ file: file.value, records: records.value }) : wrong(records.error);
}

function recordsIn(
  { head, packed }: HistoryFile,
  options: ParseMovedOptions,
): Result<readonly MovedRecord[], Cause> {
  const json = unpack(Buffer.from(packed, 'base64'), head.bytes);
  if (json === undefined || createHash('sha256').update(json).digest('hex') !== head.sha256)
    return fail({ reason: 'it is damaged: its records are not those of its head' });
  const records = parseMovedRecords(jsonIn(json), options);
  if (!records.ok) return records;
  const [first] = records.value;
  return first?.host === head.host && first.name === head.tenant
    ? records
    : fail({ reason: 'its first record is not the one that its head names' });
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns whether the signature is right, and whose it is; undefined if there is none. */
export const sealState = ({ headText: document, seal: sealed }: HistoryFile, seal?: HostSeal) => {
  if (sealed === undefined) return undefined;
  return {
    isGenuine: seal?.isGenuine({ ...sealed, document }) === true,
    fingerprint: seal?.fingerprintOf(sealed.key) ?? '',
  };
};
