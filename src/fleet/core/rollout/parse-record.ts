/**
 * Reads the file of a rollout record, which anybody may have written:
 *
 *     {"format":1,"record":{"document":"{\"format\":1,\"fleet\":\"example\",…}","signatures":["-----BEGIN SSH…"]}}
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { Envelope } from '../documents.ts';
import { formatOne, hash, name, object, oneOf, text, time, whole, type Shape } from '../fields.ts';
import { envelopeField, parseDocument, parseShape } from '../parse.ts';
import { verdicts, wavesMax, type RolloutRecord } from './record.ts';

/** The most characters of the file. */
export const recordCharsMax = 64 * 2 ** 10;
const reasonCharsMax = 500;

const recordShape: Shape<RolloutRecord> = {
  format: formatOne,
  fleet: name,
  trust: whole(1),
  sequence: whole(1),
  after: whole(0),
  release: object({ trust: whole(1), generation: whole(1), root: hash }),
  verdict: oneOf(verdicts),
  wave: whole(1, wavesMax),
  opened: time,
  issued: time,
  expires: time,
  reason: text(reasonCharsMax),
};

interface RecordFile {
  readonly format: 1;
  readonly record: Envelope;
}

export const recordFileText = (record: Envelope): string =>
  `${JSON.stringify({ format: 1, record } satisfies RecordFile)}\n`;

/** Whether a file begins as a record does. */
export const isRecordFile = (json: string): boolean => json.startsWith('{"format":1,"record":');

/** Returns the record with its signature, which nobody has verified. */
export function parseRecordFile(json: string): Result<Envelope, Cause> {
  const shape = { format: formatOne, record: envelopeField };
  const parsed = parseShape<RecordFile>('rollout record', json, {
    charsMax: recordCharsMax,
    shape,
  });
  if (!parsed.ok) return parsed;
  // One form only: nothing in it can be read in two ways.
  const { record } = parsed.value;
  return recordFileText(record) === json && record.signatures.length === 1
    ? ok(record)
    : fail({ reason: 'the rollout record is not in the form that Bulkhead writes' });
}

export const parseRecord = (document: string): Result<RolloutRecord, Cause> =>
  parseDocument('rollout record', document, recordShape);
