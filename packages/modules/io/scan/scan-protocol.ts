/** Messages between the scan and the threads that read modules for it. */
import type { KernelModule, SignatureCheck, SymbolToResolve } from '../../core/record/module.ts';
import type { ScanProblem } from '../../core/reports/report.ts';
import type { SharedBudget } from '../inputs/unpack-budget.ts';

/**
 * A module as read, with its signature judged; the form that a cache keeps. Never has the
 * signature's bytes.
 */
export interface ParsedModule {
  readonly module: KernelModule;
  readonly signature: SignatureCheck;
}

/** One file, as it is stored: compressed or not. */
export interface StoredModule {
  readonly label: string;
  /** The SHA-256 of the bytes, hexadecimal. */
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export interface ReadResponse {
  readonly label: string;
  readonly sha256: string;
  /** The module; undefined for a file that could not be read. */
  readonly read: ParsedModule | undefined;
  readonly problem: ScanProblem | undefined;
}

/**
 * A thread's response: texts are cheaper to pass than objects, and each symbol that many modules
 * import is sent once.
 */
export interface ReaderAnswer {
  readonly answers: readonly PackedResponse[];
  /** Symbols that this thread has not sent before; the texts have indexes into all that it sent. */
  readonly symbols: readonly SymbolToResolve[];
}

/** A response with `read` packed by `packModule`. */
export interface PackedResponse extends Omit<ReadResponse, 'read'> {
  readonly read: string | undefined;
}

/** Certificates (DER): built into the kernel, and given ones. */
export interface Keys {
  readonly kernel: readonly Uint8Array[];
  readonly given: readonly Uint8Array[];
}

/** The setup that a thread gets at its start. */
export interface ReaderSetup {
  /** Whether everything is read deeply, not only modules without a known key's signature. */
  readonly deep: boolean;
  /** The memory that all threads together may unpack into at a time. */
  readonly budget: SharedBudget;
}

/**
 * Later messages to a thread: files, answered batch by batch, and once the keys, which may come
 * later.
 */
export type ReaderMessage =
  | { readonly kind: 'files'; readonly files: readonly StoredModule[] }
  | { readonly kind: 'keys'; readonly keys: Keys };
