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

/** Reads the file's head; nothing of its records is looked at before somebody trusts the head. */
export function readHistoryFile(object: string): Result<HistoryFile, Problem> {
  const bytes = readBounded(object, historyFileBytesMax);
  if (!bytes.ok) return bytes;
  const text = decodeText(bytes.value);
  const file = isFlat(text, outerMarksMax) ? parseHistoryFile(text) : fail(tooMuch);
  return file.ok ? file : failed({ action, object, ...file.error });
}

/** Reads the records that the head names. Those of other hosts have the host that handed them on. */
export function readRecords(
  { head, packed }: HistoryFile,
  options: ParseMovedOptions,
): Result<readonly MovedRecord[], Cause> {
  const json = unpack(Buffer.from(packed, 'base64'), head.bytes);
  if (json === undefined || createHash('sha256').update(json).digest('hex') !== head.sha256)
    return fail({ reason: 'it is damaged: its records are not those of its head' });
  if (!isFlat(json, marksMax)) return fail(tooMuch);
  const records = parseMovedRecords(jsonIn(json), options);
  if (!records.ok) return records;
  const [first, ...others] = records.value;
  if (first?.host !== head.host || first.name !== head.tenant || first.via !== undefined)
    return fail({ reason: 'its first record is not the one that its head names' });
  return ok([first, ...others.map((each) => ({ ...each, via: head.host }))]);
}

/** The lists and objects of a file without its records, and of records: each costs much more memory than its text. */
const outerMarksMax = 64;
const marksMax = 400_000;
const tooMuch: Cause = { reason: 'it is not a history of a tenant: it has too many lists' };

function isFlat(text: string, max: number): boolean {
  let marks = 0;
  for (let at = 0; at < text.length && marks <= max; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5b || code === 0x7b) marks++;
  }
  return marks <= max;
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
