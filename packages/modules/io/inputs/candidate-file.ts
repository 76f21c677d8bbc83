/** A file as it would be offered to the loader, even if it is not a module at all. */
import type { Candidate } from '../../core/loader/candidate.ts';
import { readModule } from '../../core/record/read-module.ts';
import { readSignature } from '../../core/record/signature.ts';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { decompressed } from './decompress.ts';
import { moduleBytesMax } from './unpack-module.ts';
import { readBounded } from '../../../base/io/regular-file.ts';
import type { SignatureChecker } from '../scan/signatures.ts';

/** Reads a candidate; fails when the file cannot be read or unpacked. */
export function candidateFrom(file: string, check: SignatureChecker): Result<Candidate, Cause> {
  const stored = readBounded(file, moduleBytesMax);
  if (!stored.ok) return fail({ reason: stored.error.reason });
  const unpacked = decompressed(stored.value, moduleBytesMax);
  if (!unpacked.ok) return unpacked;
  const bytes = unpacked.value;
  const read = readModule(file, bytes);
  if (read.ok) return ok({ module: read.value, signature: check(bytes, read.value) });
  // The loader checks the signature first, whatever it is of.
  const { elfBytes, signature } = readSignature(bytes);
  return ok({
    file,
    problem: read.error,
    signature: check(bytes, { bytes: elfBytes, signature }),
  });
}
