/**
 * Reads a stored file into a module as data, with its signature judged. One a thread.
 *
 * Files may come before the keys do, since the keys are in the kernel's image, which takes time to
 * unpack. Then everything but the signature is read, and the rest waits for the keys.
 */
import type { ScanProblem } from '../../core/reports/report.ts';
import type { KernelModule } from '../../core/record/module.ts';
import { quoted } from '../../../base/io/errno.ts';
import { readModule, type ModuleProblem } from '../../core/record/read-module.ts';
import { formatCause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { keptBytesMax } from '../inputs/decompress.ts';
import type {
  Keys,
  ReadResponse,
  ParsedModule,
  ReaderSetup,
  StoredModule,
} from './scan-protocol.ts';
import { makeSignatureChecker, type SignatureChecker } from './signatures.ts';
import { ModuleUnpacker } from '../inputs/unpack-module.ts';

/**
 * The most bytes that a thread keeps unpacked without keys: half a second's work. Files beyond that
 * are read when the keys come.
 */
const heldBytesMax = 32 * 2 ** 20;

type Read = Result<ParsedModule, ScanProblem>;

export class ModuleReader {
  readonly #deep: boolean;
  readonly #unpacker: ModuleUnpacker;
  #check: SignatureChecker | undefined;
  #heldBytes = 0;

  constructor({ deep, budget }: ReaderSetup) {
    this.#deep = deep;
    this.#unpacker = new ModuleUnpacker(budget);
  }

  trust({ kernel, given }: Keys): void {
    this.#check = makeSignatureChecker(kernel, given);
  }

  /** Reads a file; needs the keys. */
  read(file: StoredModule): ReadResponse {
    return answerOf(file, () => this.#whole(file));
  }

  /** Does the work that needs no keys; the returned function does the rest, when they are there. */
  begin(file: StoredModule): () => ReadResponse {
    if (this.#heldBytes > heldBytesMax) return () => this.read(file);
    const begun = orProblem(file.label, () =>
      this.#unpack(file, (bytes) => this.#begun(file, bytes)),
    );
    return () => answerOf(file, () => (begun.ok ? begun.value() : begun));
  }

  #begun(file: StoredModule, bytes: Uint8Array): Result<() => Read, ScanProblem> {
    const shallow = readModule(file.label, bytes, { deep: this.#deep });
    if (!shallow.ok) return fail(problemOf(shallow.error));
    if (bytes.length > keptBytesMax) return ok(() => this.#whole(file));
    // The next file reuses the memory that this one was unpacked into.
    const held = bytes.slice();
    this.#heldBytes += held.length;
    return ok(() => this.#judged(held, shallow.value));
  }

  #whole(file: StoredModule): Read {
    return this.#unpack(file, (bytes) => {
      const shallow = readModule(file.label, bytes, { deep: this.#deep });
      return shallow.ok ? this.#judged(bytes, shallow.value) : fail(problemOf(shallow.error));
    });
  }

  #unpack<T>(
    { label, bytes }: StoredModule,
    read: (bytes: Uint8Array) => Result<T, ScanProblem>,
  ): Result<T, ScanProblem> {
    const answer = this.#unpacker.use(bytes, read);
    return answer.ok
      ? answer.value
      : fail({ file: label, offset: null, message: formatCause(answer.error) });
  }

  #judged(bytes: Uint8Array, shallow: KernelModule): Read {
    if (this.#check === undefined) throw new Error('the keys are not there yet');
    const signature = this.#check(bytes, shallow);
    const checked =
      this.#deep || signature.outcome === 'good'
        ? ok(shallow)
        : readModule(shallow.file, bytes, { deep: true });
    if (!checked.ok) return fail(problemOf(checked.error));
    return ok({ module: { ...checked.value, signature: undefined }, signature });
  }
}

function answerOf({ label, sha256 }: StoredModule, read: () => Read): ReadResponse {
  const answer = orProblem(label, read);
  return answer.ok
    ? { label, sha256, read: answer.value, problem: undefined }
    : { label, sha256, read: undefined, problem: answer.error };
}

/**
 * Turns an exception into a problem: one file that needs too much memory must not end the reading
 * of all others.
 */
function orProblem<T>(label: string, read: () => Result<T, ScanProblem>): Result<T, ScanProblem> {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError))
      throw new Error(`${quoted(label)}: ${String(error)}`, { cause: error });
    return fail({ file: label, offset: null, message: `it cannot be read: ${error.message}` });
  }
}

const problemOf = ({ file, offset, message }: ModuleProblem): ScanProblem => ({
  file,
  offset,
  message,
});
