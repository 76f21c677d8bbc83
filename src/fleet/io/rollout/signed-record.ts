/** A record in a text that somebody has kept. */
import type { TrustDocument } from '../../core/documents.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import { verifySignedRecord } from '../verify/verify-record.ts';

export interface SignedRecord {
  readonly record: RolloutRecord;
  /** Its file. */
  readonly text: string;
}

/** Returns the record, if a controller of the trust has signed it. */
export function signedRecord(
  text: string | null | undefined,
  trust: TrustDocument,
): SignedRecord | undefined {
  if (text === null || text === undefined) return undefined;
  const verified = verifySignedRecord(text, { fleet: trust.fleet, trust });
  return verified.ok ? { record: verified.value, text } : undefined;
}
