/** Policies as bundles carry them: base64 of zstd. */
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { HostDocument } from '../../core/documents.ts';

/** The plain policy's hash and its length. */
export type PolicyMark = HostDocument['policy'];

export interface PackedPolicy {
  readonly mark: PolicyMark;
  readonly packed: string;
}

export function packPolicy(policy: string): PackedPolicy {
  const bytes = Buffer.from(policy);
  const sha256 = hashOf(bytes);
  const packed = zstdCompressSync(bytes).toString('base64');
  return { mark: { sha256, bytes: bytes.length }, packed };
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Memory that an archive may make the reader use besides its contents: 2^24 bytes. */
const windowLogMax = 24;

/** Returns the plain policy; undefined if it is not the one with this hash and length. */
export function unpackPolicy(packed: string, { sha256, bytes }: PolicyMark): string | undefined {
  try {
    const unpacked = zstdDecompressSync(Buffer.from(packed, 'base64'), {
      // To Node, zero is not a bound.
      maxOutputLength: Math.max(bytes, 1),
      params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
    });
    if (unpacked.length !== bytes || hashOf(unpacked) !== sha256) return undefined;
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(unpacked);
  } catch {
    // It is not zstd, is longer than what was signed, or is not UTF-8.
    return undefined;
  }
}
