/** A candidate for loading: a module that could be read, or a file that could not. */
import type { FormatProblem } from '../elf/bytes.ts';
import type { KernelModule, SignatureCheck } from '../record/module.ts';

export type Candidate = ReadableCandidate | UnreadableCandidate;

interface ReadableCandidate {
  readonly module: KernelModule;
  readonly signature: SignatureCheck;
}

export interface UnreadableCandidate {
  readonly file: string;
  /** `kernelMessage` is the line that the kernel would log, where it is known. */
  readonly problem: FormatProblem & {
    readonly kernelMessage?: string;
    /** The line of kernels before 6.4, if it differs. */
    readonly oldKernelMessage?: string;
    /** The errno; ENOEXEC unless given. */
    readonly kernelErrno?: 'EINVAL';
  };
  /** The signature, which is checked before the file: a bad one decides the errno. */
  readonly signature?: SignatureCheck;
}

export interface LoaderOptions {
  /** Flags of finit_module(2): MODULE_INIT_IGNORE_VERMAGIC and MODULE_INIT_IGNORE_MODVERSIONS. */
  readonly force?: { readonly vermagic?: boolean; readonly modversions?: boolean };
  /** The calling process: the message of lockdown names it. */
  readonly process?: string;
}

export const fileOf = (candidate: Candidate): string =>
  'module' in candidate ? candidate.module.file : candidate.file;
