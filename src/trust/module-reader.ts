/** A stored file → a module as data, its signature judged. One a thread. */
import type { ScanProblem } from '../modules/reports/report.ts';
import { quoted } from '../host/errno.ts';
import { readModule, type ModuleProblem } from '../modules/read-module.ts';
import { fail, ok, type Result } from '../units/result.ts';
import { compressionOf, decompress, OutputBuffer } from './decompress.ts';
import type { ReadAnswer, ReadModule, ReaderSetup, StoredModule } from './scan-protocol.ts';
import { makeSignatureChecker } from './signatures.ts';

/** The largest module of a distribution is some 10 MB; what unpacks to more than this is an attack. */
export const mostModuleBytes = 512 * 2 ** 20;

export function makeReader(setup: ReaderSetup): (stored: StoredModule) => ReadAnswer {
  const check = makeSignatureChecker(setup.kernelCertificates, setup.givenCertificates);

  // What is read of a module is a copy, so each may be unpacked over the one before.
  const buffer = new OutputBuffer();

  function read(label: string, stored: Uint8Array): Result<ReadModule, ScanProblem> {
    const bytes = unpacked(label, stored, buffer);
    if (!bytes.ok) return bytes;
    const shallow = readModule(label, bytes.value, { deep: setup.deep });
    if (!shallow.ok) return fail(problemOf(shallow.error));
    const signature = check(bytes.value, shallow.value);
    const looked =
      setup.deep || signature.outcome === 'good'
        ? shallow
        : readModule(label, bytes.value, { deep: true });
    if (!looked.ok) return fail(problemOf(looked.error));
    return ok({ module: { ...looked.value, signature: undefined }, signature });
  }

  /** One file that asks for more than there is must not end the reading of all others. */
  function readOrSay(label: string, stored: Uint8Array): Result<ReadModule, ScanProblem> {
    try {
      return read(label, stored);
    } catch (error) {
      if (!(error instanceof RangeError))
        throw new Error(`${quoted(label)}: ${String(error)}`, { cause: error });
      return fail({ file: label, offset: null, message: `it cannot be read: ${error.message}` });
    }
  }

  return ({ label, sha256, bytes }) => {
    const answer = readOrSay(label, bytes);
    return answer.ok
      ? { label, sha256, read: answer.value, problem: undefined }
      : { label, sha256, read: undefined, problem: answer.error };
  };
}

function unpacked(
  label: string,
  stored: Uint8Array,
  buffer: OutputBuffer,
): Result<Uint8Array, ScanProblem> {
  const how = compressionOf(stored);
  if (how === undefined) return ok(stored);
  const bytes = decompress(stored, how, mostModuleBytes, buffer);
  return bytes.ok ? bytes : fail({ file: label, offset: null, message: bytes.error });
}

const problemOf = ({ file, offset, message }: ModuleProblem): ScanProblem => ({
  file,
  offset,
  message,
});
