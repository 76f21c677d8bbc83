/** The symbol table column by column: no object is made for a symbol that nobody asks for. */
import { FormatError } from './bytes.ts';
import { layouts, type Section } from './elf-format.ts';
import type { Elf } from './elf.ts';

/**
 * The most symbols that are read; more would only fill the reader's memory. amdgpu for RISC-V has
 * 1.7 million, others a tenth of that.
 */
const symbolsMax = 2 ** 22;

export class SymbolTable {
  readonly count: number;
  readonly #elf: Elf;
  readonly #data: DataView;
  readonly #little: boolean;
  readonly #wide: boolean;
  readonly #start: number;
  readonly #entryBytes: number;
  readonly #names: Section;

  /**
   * Reads the columns. Throws `FormatError` when there is no string table, or the table is larger
   * than any module's.
   */
  constructor(elf: Elf, table: Section) {
    this.#elf = elf;
    this.count = elf.symbolCount(table);
    if (this.count > symbolsMax) {
      throw new FormatError(`has more than ${symbolsMax} symbols`, table.headerOffset);
    }
    this.#data = elf.view.data;
    this.#little = elf.view.littleEndian;
    this.#wide = elf.bits === 64;
    this.#start = table.offset;
    this.#entryBytes = layouts[elf.bits].symbolBytes;
    this.#names = elf.symbolNames(table);
  }

  #at(index: number): number {
    return this.#start + index * this.#entryBytes;
  }

  section(index: number): number {
    return this.#data.getUint16(this.#at(index) + (this.#wide ? 6 : 14), this.#little);
  }

  value(index: number): number {
    const at = this.#at(index);
    return this.#wide ? this.#elf.view.u64(at + 8) : this.#data.getUint32(at + 4, this.#little);
  }

  size(index: number): number {
    const at = this.#at(index);
    return this.#wide ? this.#elf.view.u64(at + 16) : this.#data.getUint32(at + 8, this.#little);
  }

  binding(index: number): number {
    return this.#data.getUint8(this.#at(index) + (this.#wide ? 4 : 12)) >> 4;
  }

  type(index: number): number {
    return this.#data.getUint8(this.#at(index) + (this.#wide ? 4 : 12)) & 15;
  }

  #nameOffset(index: number): number {
    return this.#data.getUint32(this.#at(index), this.#little);
  }

  /** Reads a symbol's name. Throws `FormatError`. */
  name(index: number): string {
    const offset = this.#nameOffset(index);
    const { offset: start, size } = this.#names;
    if (offset >= size) {
      throw new FormatError('has a symbol whose name is outside the string table', this.#at(index));
    }
    return this.#elf.names.read(start + offset, start + size);
  }

  /** Whether the name begins with these bytes; reads only that many. */
  nameBegins(index: number, prefix: Uint8Array): boolean {
    const offset = this.#nameOffset(index);
    const { offset: start, size } = this.#names;
    if (offset + prefix.length > size) return false;
    const { bytes } = this.#elf.view;
    for (let at = 0; at < prefix.length; at++) {
      if (bytes[start + offset + at] !== prefix[at]) return false;
    }
    return true;
  }
}
