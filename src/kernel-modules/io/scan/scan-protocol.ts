/** What passes between the scan and the threads that read modules for it. */
import type { KernelModule, SignatureCheck, SymbolToResolve } from '../../core/record/module.ts';
import type { ScanProblem } from '../../core/reports/report.ts';
import type { SharedBudget } from '../inputs/unpack-budget.ts';

/**
 * A module as read, with its signature judged; what a cache keeps. Never has the signature's bytes.
 */
export interface ReadModule {
  readonly module: KernelModule;
  readonly signature: SignatureCheck;
}

/** One file, as it is stored: compressed or not. */
export interface StoredModule {
  readonly label: string;
  /** Of the bytes, hexadecimal. */
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export interface ReadResponse {
  readonly label: string;
  readonly sha256: string;
  /** Undefined for what could not be read. */
  readonly read: ReadModule | undefined;
  readonly problem: ScanProblem | undefined;
}

/**
 * What a thread answers: texts are cheaper to hand over than objects, and symbols that many modules
 * import are there once.
 */
export interface ReaderAnswer {
  readonly answers: readonly PackedResponse[];
  /** Those that this thread has not sent before; the texts have indexes of all that it sent. */
  readonly symbols: readonly SymbolToResolve[];
}

/** `read` by `packModule`. */
export interface PackedResponse extends Omit<ReadResponse, 'read'> {
  readonly read: string | undefined;
}

/** DER of the certificates that the kernel has built in, and of those that were given. */
export interface Keys {
  readonly kernel: readonly Uint8Array[];
  readonly given: readonly Uint8Array[];
}

/** What a thread gets at its start. */
export interface ReaderSetup {
  /** Whether everything is read deeply, not only what no known key signed. */
  readonly deep: boolean;
  /** What they may unpack at a time, all threads together. */
  readonly budget: SharedBudget;
}

/**
 * What a thread gets after that: files, answered batch by batch, and once the keys, which may come
 * later.
 */
export type ReaderMessage =
  | { readonly kind: 'files'; readonly files: readonly StoredModule[] }
  | { readonly kind: 'keys'; readonly keys: Keys };
