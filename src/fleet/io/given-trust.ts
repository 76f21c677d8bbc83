/** A trust that root gives a host as a file: trusted as it comes, if each of its versions follows from the first. */
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Envelope, TrustDocument } from '../core/documents.ts';
import { parseTrustFile } from '../core/fleet-files.ts';
import { parseTrust } from '../core/parse.ts';
import { verifyTrust } from './verify/verify-trust.ts';

const bytesMax = 16 * 2 ** 20;

export interface GivenTrust {
  readonly chain: readonly Envelope[];
  /** The newest version. */
  readonly trust: TrustDocument;
}

export function readTrustFile(object: string): Result<GivenTrust, Problem> {
  const action = 'use the trust';
  const read = readBounded(object, bytesMax);
  if (!read.ok) return read;
  const chain = parseTrustFile(decodeText(read.value));
  if (!chain.ok) return failed({ action, object, ...chain.error });
  const [first] = chain.value;
  if (first === undefined) return failed({ action, object, reason: 'it has no version' });
  const parsed = parseTrust(first.document);
  if (!parsed.ok) return failed({ action, object, ...parsed.error });
  const trust = verifyTrust(chain.value, parsed.value);
  if (trust.ok) return ok({ chain: chain.value, trust: trust.value });
  const { code: _code, ...cause } = trust.error;
  return failed({ action, object, ...cause });
}
