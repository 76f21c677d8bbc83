/** A stored file → a module as data, its signature judged. One a thread. */
import type { ScanProblem } from '../modules/reports/report.ts';
import { quoted } from '../host/errno.ts';
import { readModule, type ModuleProblem } from '../modules/read-module.ts';
import { fail, ok, type Result } from '../units/result.ts';
import type { ReadAnswer, ReadModule, ReaderSetup, StoredModule } from './scan-protocol.ts';
import { makeSignatureChecker } from './signatures.ts';
import { ModuleUnpacker } from './unpack-module.ts';

export function makeReader(setup: ReaderSetup): (stored: StoredModule) => ReadAnswer {
  const check = makeSignatureChecker(setup.kernelCertificates, setup.givenCertificates);

  const unpacker = new ModuleUnpacker(setup.budget);

  function read(label: string, stored: Uint8Array): Result<ReadModule, ScanProblem> {
    const answer = unpacker.use(stored, (bytes) => readUnpacked(label, bytes));
    return answer.ok ? answer.value : fail({ file: label, offset: null, message: answer.error });
  }

  function readUnpacked(label: string, bytes: Uint8Array): Result<ReadModule, ScanProblem> {
    const shallow = readModule(label, bytes, { deep: setup.deep });
    if (!shallow.ok) return fail(problemOf(shallow.error));
    const signature = check(bytes, shallow.value);
    const looked =
      setup.deep || signature.outcome === 'good'
        ? shallow
        : readModule(label, bytes, { deep: true });
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

const problemOf = ({ file, offset, message }: ModuleProblem): ScanProblem => ({
  file,
  offset,
  message,
});
