/**
 * The common part of the archive formats: entries with their bytes, read from a stream of pieces.
 *
 * A format is a generator of steps (take a header, pass a body on). `ArchiveReader` drives it over
 * pieces of any size, so that no archive is ever in memory as a whole. Malformed input throws
 * `FormatError`, with the offset in the unpacked archive.
 */
import { FormatError } from '../elf/bytes.ts';

export interface ArchiveEntry {
  /** The name as stored: it may be absolute or hold `..`; see `pathInside`. */
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hard link' | 'other';
  /** The size of the contents in bytes, from the header. */
  readonly bytes: number;
  /** Permission bits. */
  readonly mode: number;
  /** A link's target, as stored; else empty. */
  readonly target: string;
}

export type ArchiveEvent =
  | { readonly kind: 'entry'; readonly entry: ArchiveEntry }
  /** A piece of the last entry's contents: a view into the piece that was pushed. */
  | { readonly kind: 'data'; readonly data: Uint8Array }
  /** The last entry is complete. */
  | { readonly kind: 'end' };

export type ReadStep =
  /** A request for exactly so many bytes, passed in one piece. */
  | { readonly step: 'take'; readonly bytes: number }
  | { readonly step: 'skip'; readonly bytes: number }
  /** An entry whose contents of `bytes` follow. */
  | { readonly step: 'entry'; readonly entry: ArchiveEntry; readonly bytes: number };

/** A format's generator: it gets the bytes of each `take`, and its offset for errors as `at`. */
type Steps = (at: () => number) => Generator<ReadStep, void, Uint8Array>;

/** The longest header or name; formats check before they take. */
export const maxNameBytes = 4096;
export const maxHeaderBytes = 1024 * 1024;

const nothing = new Uint8Array(0);

export class ArchiveReader {
  readonly #steps: Generator<ReadStep, void, Uint8Array>;
  #step: ReadStep | undefined;
  #left = 0;
  #announced = false;
  #taken: Uint8Array = nothing;
  #offset = 0;

  constructor(steps: Steps) {
    this.#steps = steps(() => this.#offset);
    this.#advance(nothing);
  }

  /** Whether the end of the archive was reached: later bytes are not read. */
  get ended(): boolean {
    return this.#step === undefined;
  }

  #advance(taken: Uint8Array): void {
    const next = this.#steps.next(taken);
    this.#step = next.done === true ? undefined : next.value;
    this.#left = this.#step?.bytes ?? 0;
    this.#announced = false;
    if (this.#step?.step === 'take') this.#taken = new Uint8Array(this.#left);
  }

  *push(piece: Uint8Array): Generator<ArchiveEvent, void, void> {
    let rest = piece;
    while (this.#step !== undefined) {
      if (this.#step.step === 'entry' && !this.#announced) {
        this.#announced = true;
        yield { kind: 'entry', entry: this.#step.entry };
      }
      const now = rest.subarray(0, this.#left);
      if (now.length > 0) yield* this.#use(this.#step, now);
      rest = rest.subarray(now.length);
      if (this.#left > 0) return;
      if (this.#step.step === 'entry') yield { kind: 'end' };
      this.#advance(this.#step.step === 'take' ? this.#taken : nothing);
    }
  }

  *#use(step: ReadStep, now: Uint8Array): Generator<ArchiveEvent, void, void> {
    if (step.step === 'take') this.#taken.set(now, step.bytes - this.#left);
    if (step.step === 'entry') yield { kind: 'data', data: now };
    this.#left -= now.length;
    this.#offset += now.length;
  }

  /** Ends the reading; call it after the last piece. Throws when the archive is cut short. */
  finish(): void {
    if (this.#step !== undefined) {
      throw new FormatError(
        `ends after ${this.#offset} bytes, in the middle of the archive`,
        this.#offset,
      );
    }
  }
}

type SafePath = { readonly path: string } | { readonly why: string };

/**
 * Returns the path that a stored name means inside the target directory: `./usr//src/x` is
 * `usr/src/x`. The directory itself is the empty path. A name that leads outside, or is not one,
 * gives the reason.
 */
export function pathInside(name: string): SafePath {
  if (name.length > maxNameBytes)
    return { why: `its name is longer than ${maxNameBytes} characters` };
  if (name.includes('\0')) return { why: 'there is a NUL in its name' };
  if (name.startsWith('/')) return { why: 'its name is an absolute path' };
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return { why: 'its name leads out of the archive with ".."' };
  return { path: parts.join('/') };
}

/**
 * Returns the path that a relative symbolic link at `path` points to, from its text only; undefined
 * when that is outside.
 */
export function linkTargetInside(path: string, target: string): string | undefined {
  if (target === '' || target.startsWith('/') || target.length > maxNameBytes) return undefined;
  const parts = path.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..' && parts.pop() === undefined) return undefined;
    if (part !== '..' && part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}
