/**
 * The lines that are appended to a log, which others rotate: the file that was renamed is read to its end before the new
 * one begins. What was there at first is skipped. The directory may belong to a daemon, so no link is followed.
 */
import { fstatSync, statSync } from 'node:fs';
import {
  openRegularFile,
  readPiece,
  type RegularFile,
} from '../../../../packages/base/io/regular-file.ts';

/** Bytes that are read at once; the rest comes with the next call. */
const bytesMax = 4 * 2 ** 20;
/** Longer lines are skipped. */
const lineBytesMax = 64 * 2 ** 10;

export class FollowedLog implements Disposable {
  readonly #path: string;
  #file: RegularFile | undefined;
  #offset = 0;
  #rest = '';
  #isFirst = true;

  constructor(path: string) {
    this.#path = path;
  }

  /** Whether there is such a log, which is known after the first call of `lines`. */
  get isThere(): boolean {
    return this.#file !== undefined;
  }

  /** Returns the lines since the last call. */
  lines(): readonly string[] {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (this.#file === undefined) {
      this.#open();
      if (isFirst) this.#offset = this.#size();
    }
    const found = this.#read(bytesMax);
    if (this.#file === undefined || this.#offset < this.#size() || !this.#isRotated()) return found;
    this[Symbol.dispose]();
    this.#open();
    return [...found, ...this.#read(bytesMax)];
  }

  #open(): void {
    const opened = openRegularFile(this.#path, { links: 'refuse' });
    this.#file = opened.ok ? opened.value : undefined;
    this.#offset = 0;
    this.#rest = '';
  }

  #size = (): number => (this.#file === undefined ? 0 : fstatSync(this.#file.fd).size);

  #isRotated(): boolean {
    if (this.#file === undefined) return false;
    const now = statSync(this.#path, { throwIfNoEntry: false });
    const { ino, dev } = fstatSync(this.#file.fd);
    return now !== undefined && (now.ino !== ino || now.dev !== dev);
  }

  #read(bytes: number): readonly string[] {
    if (this.#file === undefined) return [];
    const size = this.#size();
    // It was copied and cut.
    if (size < this.#offset) {
      this.#offset = 0;
      this.#rest = '';
    }
    const piece = readPiece(this.#file, this.#offset, Math.min(bytes, size - this.#offset));
    this.#offset += piece.length;
    const lines = `${this.#rest}${Buffer.from(piece).toString('latin1')}`.split('\n');
    const rest = lines.pop() ?? '';
    // The end of a line that is too long must not look like the beginning of one.
    this.#rest = rest.slice(0, lineBytesMax + 1);
    return lines.filter(({ length }) => length <= lineBytesMax);
  }

  [Symbol.dispose](): void {
    this.#file?.[Symbol.dispose]();
    this.#file = undefined;
  }
}
