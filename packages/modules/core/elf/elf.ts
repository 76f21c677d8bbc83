/**
 * Object files in the Executable and Linkable Format: 32 and 64 bit, both byte orders.
 *
 * Only what a kernel module needs: the header, the section table, symbols and relocations. Nothing
 * is trusted: each offset, size and index is checked before it is used. The size of the file bounds
 * the number of sections and symbols. Source: System V ABI, chapter 4; elf(5).
 */
import { FormatError, type ByteView } from './bytes.ts';
import {
  layouts,
  sectionFlags,
  sectionTypes,
  type ElfSymbol,
  type Relocation,
  type Section,
} from './elf-format.ts';
import type { NameReader } from './names.ts';

/** An object file whose header and section table could be read. */
export class Elf {
  readonly view: ByteView;
  readonly names: NameReader;
  readonly bits: 32 | 64;
  readonly type: number;
  readonly machine: number;
  readonly sections: readonly Section[];
  /** The string table of the section names. */
  readonly sectionNames: Section;
  readonly #byName: ReadonlyMap<string, Section>;
  /** Cached results for names whose first section is not loaded. */
  readonly #laterLoaded = new Map<string, Section | undefined>();

  constructor(
    view: ByteView,
    names: NameReader,
    bits: 32 | 64,
    type: number,
    machine: number,
    sections: readonly Section[],
    sectionNames: Section,
  ) {
    this.view = view;
    this.names = names;
    this.bits = bits;
    this.type = type;
    this.machine = machine;
    this.sections = sections;
    this.sectionNames = sectionNames;
    const byName = new Map<string, Section>();
    for (const each of sections) if (!byName.has(each.name)) byName.set(each.name, each);
    this.#byName = byName;
  }

  /**
   * Returns the first section of that name. The kernel's `find_sec` does the same, but skips
   * sections without ALLOC.
   */
  section(name: string): Section | undefined {
    return this.#byName.get(name);
  }

  /** Returns the first section of that name that will be in memory: the kernel's `find_sec`. */
  loadedSection(name: string): Section | undefined {
    const first = this.#byName.get(name);
    if (first === undefined || (first.flags & sectionFlags.alloc) !== 0) return first;
    if (this.#laterLoaded.has(name)) return this.#laterLoaded.get(name);
    const later = this.sections.find(
      (each) => (each.flags & sectionFlags.alloc) !== 0 && each.name === name,
    );
    this.#laterLoaded.set(name, later);
    return later;
  }

  /**
   * Returns a section's bytes; empty for a section without bytes in the file. Throws `FormatError`.
   */
  data(section: Section): Uint8Array {
    if (section.type === sectionTypes.nobits || section.index === 0) return new Uint8Array();
    return this.view.slice(section.offset, section.size);
  }

  get symbolTable(): Section | undefined {
    return this.sections.find((each) => each.type === sectionTypes.symtab);
  }

  symbolCount(table: Section): number {
    return Math.floor(table.size / layouts[this.bits].symbolBytes);
  }

  /** Reads one symbol. Throws `FormatError`. */
  symbol(table: Section, index: number): ElfSymbol {
    const { symbolBytes } = layouts[this.bits];
    if (index >= this.symbolCount(table))
      throw new FormatError(`has no symbol ${index}`, table.headerOffset);
    const at = table.offset + index * symbolBytes;
    const wide = this.bits === 64;
    const info = this.view.u8(at + (wide ? 4 : 12));
    return {
      index,
      name: this.symbolName(table, this.view.u32(at)),
      value: wide ? this.view.u64(at + 8) : this.view.u32(at + 4),
      size: wide ? this.view.u64(at + 16) : this.view.u32(at + 8),
      binding: info >> 4,
      type: info & 15,
      section: this.view.u16(at + (wide ? 6 : 14)),
    };
  }

  /** Reads only the section index: it costs little, and decides for most symbols. */
  symbolSection(table: Section, index: number): number {
    const wide = this.bits === 64;
    const { symbolBytes } = layouts[this.bits];
    return this.view.u16(table.offset + index * symbolBytes + (wide ? 6 : 14));
  }

  /** Returns the string table of a symbol table. Throws `FormatError`. */
  symbolNames(table: Section): Section {
    const strings = this.sections[table.link];
    if (strings === undefined || strings.index === 0 || strings.type === sectionTypes.nobits) {
      throw new FormatError('has a symbol table without a string table', table.headerOffset);
    }
    return strings;
  }

  symbolName(table: Section, offset: number): string {
    const strings = this.symbolNames(table);
    if (offset >= strings.size) {
      throw new FormatError('has a symbol whose name is outside the string table', table.offset);
    }
    return this.names.read(strings.offset + offset, strings.offset + strings.size);
  }

  /** Yields every symbol but the first, which is empty by definition. */
  *symbols(table: Section): Generator<ElfSymbol> {
    const count = this.symbolCount(table);
    for (let index = 1; index < count; index++) yield this.symbol(table, index);
  }

  /** Yields the relocations of a section. Throws `FormatError`. */
  *relocations(section: Section): Generator<Relocation> {
    const wide = this.bits === 64;
    const withAddend = section.type === sectionTypes.rela;
    const entryBytes = (wide ? 16 : 8) + (withAddend ? (wide ? 8 : 4) : 0);
    for (
      let at = section.offset;
      at + entryBytes <= section.offset + section.size;
      at += entryBytes
    ) {
      yield wide ? this.#wideRelocation(at, withAddend) : this.#narrowRelocation(at, withAddend);
    }
  }

  #wideRelocation(at: number, withAddend: boolean): Relocation {
    const { littleEndian } = this.view;
    return {
      offset: this.view.u64(at),
      type: this.view.u32(at + (littleEndian ? 8 : 12)),
      symbol: this.view.u32(at + (littleEndian ? 12 : 8)),
      addend: withAddend ? this.view.i64(at + 16) : 0,
    };
  }

  #narrowRelocation(at: number, withAddend: boolean): Relocation {
    const info = this.view.u32(at + 4);
    return {
      offset: this.view.u32(at),
      type: info & 0xff,
      symbol: info >>> 8,
      addend: withAddend ? this.view.i32(at + 8) : 0,
    };
  }
}
