/** One file of an access log, read from a place on. It may grow, be renamed, or be copied and cut. */
import { fstatSync } from 'node:fs';
import { readPiece, type RegularFile } from '../../../../packages/base/io/regular-file.ts';

/** Longer lines are not read. */
const lineBytesMax = 64 * 2 ** 10;
/** The bytes before the place, by which it is seen that the file was cut and has grown again. */
const knownBytesMax = 64;
const newline = 0x0a;

export interface ReadLines {
  readonly lines: readonly string[];
  /** How many bytes were read. */
  readonly bytes: number;
  /** Lines that were too long. */
  readonly skipped: number;
  readonly wasCut: boolean;
}

export class OpenLog implements Disposable {
  readonly #file: RegularFile;
  #offset: number;
  /** The bytes just before the offset. */
  #known: Uint8Array = new Uint8Array();
  #rest = '';
  #isInLongLine = false;

  /** `from`: where reading begins; at the end of the file, a line that has begun there is left out. */
  constructor(file: RegularFile, from: 'start' | 'end') {
    this.#file = file;
    this.#offset = from === 'start' ? 0 : file.stat.size;
    if (this.#offset === 0) return;
    this.#remember(readPiece(file, Math.max(0, this.#offset - knownBytesMax), this.#knownBytes));
    this.#isInLongLine = this.#known.at(-1) !== newline;
  }

  get #knownBytes(): number {
    return Math.min(this.#offset, knownBytesMax);
  }

  isSame({ ino, dev }: { readonly ino: number; readonly dev: number }): boolean {
    return this.#file.stat.ino === ino && this.#file.stat.dev === dev;
  }

  /** The bytes that are not read yet. */
  get unread(): number {
    return Math.max(0, fstatSync(this.#file.fd).size - this.#offset);
  }

  /** Returns the lines of the next piece. */
  read(bytesMax: number): ReadLines {
    const wasCut = this.#wasCut();
    if (wasCut) {
      this.#offset = 0;
      this.#known = new Uint8Array();
      this.#rest = '';
      this.#isInLongLine = false;
    }
    const piece = readPiece(this.#file, this.#offset, Math.min(bytesMax, this.unread));
    this.#offset += piece.length;
    this.#remember(piece);
    return { ...this.#linesOf(piece), bytes: piece.length, wasCut };
  }

  #wasCut(): boolean {
    if (fstatSync(this.#file.fd).size < this.#offset) return true;
    const { length } = this.#known;
    const now = readPiece(this.#file, this.#offset - length, length);
    return Buffer.compare(now, this.#known) !== 0;
  }

  #remember(piece: Uint8Array): void {
    const all = Buffer.concat([this.#known, piece.subarray(-knownBytesMax)]);
    this.#known = all.subarray(-knownBytesMax);
  }

  #linesOf(piece: Uint8Array): Pick<ReadLines, 'lines' | 'skipped'> {
    const text = Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1');
    const all = `${this.#rest}${text}`.split('\n');
    this.#rest = all.pop() ?? '';
    if (this.#isInLongLine && all.length > 0) {
      all.shift();
      this.#isInLongLine = false;
    }
    const lines = all.filter(({ length }) => length <= lineBytesMax);
    let skipped = all.length - lines.length;
    if (this.#isInLongLine) this.#rest = '';
    else if (this.#rest.length > lineBytesMax) {
      this.#rest = '';
      this.#isInLongLine = true;
      skipped++;
    }
    return { lines, skipped };
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
