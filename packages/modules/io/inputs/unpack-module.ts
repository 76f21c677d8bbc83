/**
 * A module as it is stored → the module, for as long as it is read.
 *
 * Small ones, which are nearly all, are unpacked at once. A large one is unpacked only after its
 * first block shows an ELF file. The large ones of all threads share one budget.
 */
import type { Compression } from '../../core/kernel/image.ts';
import { isElf } from '../../core/record/read-module.ts';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import {
  imageCompression,
  decompress,
  decompressUpTo,
  firstBytes,
  keptBytesMax,
  OutputBuffer,
  statedBytes,
} from './decompress.ts';
import { type SharedBudget, UnpackBudget } from './unpack-budget.ts';

/**
 * The largest module that is read. A distribution's largest has some 10 MB, with debug data some
 * 100.
 */
export const moduleBytesMax = 512 * 2 ** 20;
/** The memory budget of all threads together. */
export const unpackedBytesMax = 256 * 2 ** 20;
/**
 * The largest module that does not state its size, or states too small a one: it is joined from
 * pieces, which takes as much again.
 */
const unstatedBytesMax = 256 * 2 ** 20;
/** The largest window: xz and zstd refer back that far, to a copy of their output. */
const windowBytesMax = 256 * 2 ** 20;

export class ModuleUnpacker {
  // Data read from a module is a copy, so each may be unpacked over the one before.
  readonly #small = new OutputBuffer();
  readonly #budget: UnpackBudget;

  constructor(budget: SharedBudget) {
    this.#budget = new UnpackBudget(budget);
  }

  /** Calls `read` with the unpacked bytes, of which `read` keeps none. */
  use<T>(stored: Uint8Array, read: (bytes: Uint8Array) => T): Result<T, Cause> {
    const how = imageCompression(stored);
    if (how === undefined) return ok(read(stored));
    const stated = statedBytes(stored, how);
    if (!stated.ok) return stated;
    const bytes = stated.value;
    if (bytes !== undefined && bytes > keptBytesMax) return this.#large(stored, how, bytes, read);
    const small = decompressUpTo(stored, how, keptBytesMax, this.#small);
    if (!small.ok) return small;
    if (small.value !== 'too large') return ok(read(small.value));
    return this.#large(stored, how, undefined, read);
  }

  #large<T>(
    stored: Uint8Array,
    how: Compression,
    stated: number | undefined,
    read: (bytes: Uint8Array) => T,
  ): Result<T, Cause> {
    if (!isElf(firstBytes(stored, how))) return fail({ reason: 'is not an ELF file' });
    const max = stated === undefined ? unstatedBytesMax : Math.min(stated, moduleBytesMax);
    using _reserved = this.#budget.reserve(stated === undefined ? 2 * max : needs(how, max));
    const bytes = decompress(stored, how, max);
    if (!bytes.ok) return bytes;
    try {
      return ok(read(bytes.value));
    } finally {
      // Memory is freed now, not at the next garbage collection: others wait for it.
      release(bytes.value);
    }
  }
}

const needs = (how: Compression, bytes: number): number =>
  how === 'gzip' ? bytes : bytes + Math.min(bytes, windowBytesMax);

/** Frees the memory of large bytes; small ones may lie in memory that others share. */
function release({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > keptBytesMax) buffer.transfer(0);
}
