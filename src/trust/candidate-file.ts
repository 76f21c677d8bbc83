/** A file as it would be offered to the loader, also one that is no module at all. */
import type { Candidate } from '../modules/loader/candidate.ts';
import { readModule } from '../modules/read-module.ts';
import { readSignature } from '../modules/signature.ts';
import { fail, ok, type Result } from '../units/result.ts';
import { decompressed } from './decompress.ts';
import { mostModuleBytes } from './unpack-module.ts';
import { readBounded } from './read-bounded.ts';
import type { SignatureChecker } from './signatures.ts';

/** Fails when the file cannot be read or unpacked; the error is a clause. */
export function candidateFrom(file: string, check: SignatureChecker): Result<Candidate> {
  const stored = readBounded(file, mostModuleBytes);
  if (!stored.ok) return stored;
  const unpacked = decompressed(stored.value, mostModuleBytes);
  if (!unpacked.ok) return fail(unpacked.error);
  const bytes = unpacked.value;
  const read = readModule(file, bytes);
  if (read.ok) return ok({ module: read.value, signature: check(bytes, read.value) });
  // The loader looks at the signature first, whatever it is of.
  const { elfBytes, signature } = readSignature(bytes);
  return ok({
    file,
    problem: read.error,
    signature: check(bytes, { bytes: elfBytes, signature }),
  });
}
