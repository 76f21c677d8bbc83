/**
 * Object files in the Executable and Linkable Format: 32 and 64 bit, both byte orders.
 *
 * Only what a kernel module needs: the header, the section table, symbols and relocations. Nothing is
 * trusted: each offset, size and index is checked before it is used, and the number of sections and symbols
 * is bounded by the size of the file.
 * Source: System V ABI, chapter 4; elf(5).
 */
import { fail, ok, type Result } from '../../../base/result.ts';
import { ByteView, FormatError, type FormatProblem } from './bytes.ts';
import { NameReader } from './names.ts';

export const elfTypes = { relocatable: 1 } as const;
export const machines = {
  i386: 3,
  ppc64: 21,
  s390: 22,
  arm: 40,
  x8664: 62,
  arm64: 183,
  riscv: 243,
} as const;
export const sectionTypes = {
  null: 0,
  progbits: 1,
  symtab: 2,
  strtab: 3,
  rela: 4,
  nobits: 8,
  rel: 9,
  note: 7,
} as const;
/** `livepatch` marks relocations that the kernel's livepatch core applies. */
export const sectionFlags = { write: 1, alloc: 2, execute: 4, livepatch: 0x0010_0000 } as const;
/** Special section indices of symbols. */
export const sectionIndexes = {
  undefined: 0,
  reserved: 0xff00,
  livepatch: 0xff20,
  absolute: 0xfff1,
  common: 0xfff2,
} as const;
export const bindings = { local: 0, global: 1, weak: 2 } as const;
export const symbolTypes = { none: 0, object: 1, function: 2, section: 3, file: 4 } as const;

export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  /** In the file, bytes; both are checked unless the section has no bytes in the file (NOBITS). */
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entryBytes: number;
  /** Where its own header stands, for messages. */
  readonly headerOffset: number;
}

export interface ElfSymbol {
  readonly index: number;
  readonly name: string;
  readonly value: number;
  readonly size: number;
  readonly binding: number;
  readonly type: number;
  readonly section: number;
}

export interface Relocation {
  /** In the section that is changed, bytes. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: number;
  /** 0 where the format keeps it in the place that is changed (SHT_REL). */
  readonly addend: number;
}

export interface Layout {
  readonly headerBytes: number;
  readonly sectionBytes: number;
  readonly symbolBytes: number;
}

/** How wide and in which order numbers are. */
export interface Encoding {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
}

const encodings: readonly (Encoding & { readonly machine: number })[] = [
  { machine: machines.x8664, bits: 64, littleEndian: true },
  { machine: machines.i386, bits: 32, littleEndian: true },
  { machine: machines.s390, bits: 64, littleEndian: false },
  ...[true, false].flatMap((littleEndian) => [
    { machine: machines.arm64, bits: 64 as const, littleEndian },
    { machine: machines.ppc64, bits: 64 as const, littleEndian },
    { machine: machines.arm, bits: 32 as const, littleEndian },
  ]),
];

/**
 * How a kernel of the file's machine reads it. It takes its own width and order, whatever `e_ident` says: only
 * the machine, as it reads it, must be its own. Undefined for machines that leave it open.
 */
export function kernelEncoding(bytes: Uint8Array): Encoding | undefined {
  const [first = 0, second = 0] = bytes.subarray(18, 20);
  return encodings.find(
    ({ machine, littleEndian }) =>
      machine === (littleEndian ? first + second * 256 : first * 256 + second),
  );
}

/** Sizes of the structures that repeat. */
export const layouts: Readonly<Record<32 | 64, Layout>> = {
  32: { headerBytes: 52, sectionBytes: 40, symbolBytes: 16 },
  64: { headerBytes: 64, sectionBytes: 64, symbolBytes: 24 },
};

/** An object file whose header and section table could be read. */
export class Elf {
  readonly view: ByteView;
  readonly names: NameReader;
  readonly bits: 32 | 64;
  readonly type: number;
  readonly machine: number;
  readonly sections: readonly Section[];
  /** The table of the sections' own names. */
  readonly sectionNames: Section;
  readonly #byName: ReadonlyMap<string, Section>;
  /** Of names whose first section is not loaded. */
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

  /** The first section of that name, as the kernel's `find_sec` takes it but for the ALLOC flag. */
  section(name: string): Section | undefined {
    return this.#byName.get(name);
  }

  /** The first section of that name that will be in memory: the kernel's `find_sec`. */
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

  /** Empty for a section that has no bytes in the file. Throws `FormatError`. */
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

  /** Throws `FormatError`. */
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

  /** The section index alone: reading it costs little, and most symbols are told by it. */
  symbolSection(table: Section, index: number): number {
    const wide = this.bits === 64;
    const { symbolBytes } = layouts[this.bits];
    return this.view.u16(table.offset + index * symbolBytes + (wide ? 6 : 14));
  }

  /** The table of names of a symbol table. Throws `FormatError`. */
  symbolNames(table: Section): Section {
    const strings = this.sections[table.link];
    if (strings === undefined || strings.index === 0 || strings.type === sectionTypes.nobits) {
      throw new FormatError('has a symbol table without a table of names', table.headerOffset);
    }
    return strings;
  }

  symbolName(table: Section, offset: number): string {
    const strings = this.symbolNames(table);
    if (offset >= strings.size) {
      throw new FormatError('has a symbol whose name is outside the table of names', table.offset);
    }
    return this.names.read(strings.offset + offset, strings.offset + strings.size);
  }

  /** Every symbol but the first, which is empty by definition. */
  *symbols(table: Section): Generator<ElfSymbol> {
    const count = this.symbolCount(table);
    for (let index = 1; index < count; index++) yield this.symbol(table, index);
  }

  /** Throws `FormatError`. */
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

/**
 * Reads the header and the section table; says where the bytes stop making sense. What the header says of width
 * and order counts unless an encoding is given.
 */
export function readElf(bytes: Uint8Array, encoding?: Encoding): Result<Elf, FormatProblem> {
  try {
    return ok(parse(bytes, encoding));
  } catch (error) {
    if (error instanceof FormatError) return fail({ message: error.message, offset: error.offset });
    throw error;
  }
}

function parse(bytes: Uint8Array, encoding: Encoding | undefined): Elf {
  const magic = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  if (!magic) throw new FormatError('is no ELF file', 0);
  const { bits, littleEndian } = encoding ?? statedEncoding(bytes);
  const view = new ByteView(bytes, littleEndian);
  const names = new NameReader(bytes);
  const [type, machine] = [view.u16(16), view.u16(18)];
  const { sections, sectionNames } = readSections(view, names, bits);
  return new Elf(view, names, bits, type, machine, sections, sectionNames);
}

/** As `e_ident` has it. Throws `FormatError`. */
function statedEncoding([, , , , width, order]: Uint8Array): Encoding {
  if (width !== 1 && width !== 2) throw new FormatError('is of neither 32 nor 64 bits', 4);
  if (order !== 1 && order !== 2) throw new FormatError('has no known byte order', 5);
  return { bits: width === 2 ? 64 : 32, littleEndian: order === 1 };
}

function readSections(
  view: ByteView,
  names: NameReader,
  bits: 32 | 64,
): Pick<Elf, 'sections' | 'sectionNames'> {
  const wide = bits === 64;
  const { sectionBytes, headerBytes } = layouts[bits];
  const table = wide ? view.u64(40) : view.u32(32);
  const at = (offset: number) => headerBytes - 6 + offset;
  const [entryBytes, count, namesIndex] = [view.u16(at(0)), view.u16(at(2)), view.u16(at(4))];
  if (entryBytes !== sectionBytes)
    throw new FormatError(`has section headers of ${entryBytes} bytes`, at(0));
  if (count === 0 || table === 0) throw new FormatError('has no sections', at(2));
  if (table + count * sectionBytes > view.length) {
    throw new FormatError(`has a table of ${count} sections that ends outside the file`, table);
  }
  const strings = namesSection(view, bits, table, count, namesIndex, at(4));
  const sections: Section[] = [];
  for (let index = 0; index < count; index++) {
    const headerAt = table + index * sectionBytes;
    const name = sectionName(view, names, strings, headerAt);
    const section = wide
      ? wideSection(view.data, view.littleEndian, headerAt, index, name)
      : narrowSection(view.data, view.littleEndian, headerAt, index, name);
    checkBounds(section, view);
    sections.push(section.type === sectionTypes.null ? withinFile(section, view) : section);
  }
  return { sections, sectionNames: sections[strings.index]! };
}

function namesSection(
  view: ByteView,
  bits: 32 | 64,
  table: number,
  count: number,
  index: number,
  indexOffset: number,
): Section {
  if (index === 0 || index >= count)
    throw new FormatError('has no table of section names', indexOffset);
  const at = table + index * layouts[bits].sectionBytes;
  const read = bits === 64 ? wideSection : narrowSection;
  const strings = read(view.data, view.littleEndian, at, index, '');
  if (strings.type !== sectionTypes.strtab || strings.size === 0)
    throw new FormatError('has no table of section names', at);
  checkBounds(strings, view);
  return strings;
}

/** The kernel finds sections by name whatever their type; nothing checks the name of an unused (NULL) one. */
function sectionName(view: ByteView, names: NameReader, strings: Section, at: number): string {
  const offset = view.u32(at);
  if (offset >= strings.size) {
    if (view.u32(at + 4) === sectionTypes.null) return '';
    throw new FormatError('has a section whose name is outside the table of names', at);
  }
  return names.read(strings.offset + offset, strings.offset + strings.size);
}

function wideSection(
  data: DataView,
  little: boolean,
  at: number,
  index: number,
  name: string,
): Section {
  const [high, low] = little ? [4, 0] : [0, 4];
  const word = (offset: number) =>
    data.getUint32(at + offset + high, little) * 2 ** 32 +
    data.getUint32(at + offset + low, little);
  return {
    index,
    name,
    type: data.getUint32(at + 4, little),
    flags: word(8),
    address: word(16),
    offset: word(24),
    size: word(32),
    link: data.getUint32(at + 40, little),
    info: data.getUint32(at + 44, little),
    entryBytes: word(56),
    headerOffset: at,
  };
}

function narrowSection(
  data: DataView,
  little: boolean,
  at: number,
  index: number,
  name: string,
): Section {
  const word = (offset: number) => data.getUint32(at + offset, little);
  return {
    index,
    name,
    type: word(4),
    flags: word(8),
    address: word(12),
    offset: word(16),
    size: word(20),
    link: word(24),
    info: word(28),
    entryBytes: word(36),
    headerOffset: at,
  };
}

/** The bounds of an unused (NULL) section are not checked by the kernel, which reads what is there. */
function withinFile(section: Section, { length }: ByteView): Section {
  if (section.index === 0) return section;
  const offset = Math.min(section.offset, length);
  return { ...section, offset, size: Math.min(section.size, length - offset) };
}

function checkBounds(section: Section, view: ByteView): void {
  if (section.type === sectionTypes.null || section.type === sectionTypes.nobits) return;
  if (section.offset + section.size > view.length) {
    throw new FormatError(
      `has a section of ${section.size} bytes that ends outside the file`,
      section.headerOffset,
    );
  }
}
