/**
 * An object file that can be changed: x86-64, as the kernel's build makes modules.
 *
 * Some tests need a module which no compiler would write. Sections keep their order and so their numbers; new ones come
 * last. Nothing here is bounded: the input is our own build.
 */
export interface EditableSection {
  name: string;
  type: number;
  flags: number;
  link: number;
  info: number;
  align: number;
  entryBytes: number;
  data: Uint8Array;
  /** The size that the header states; more than the data for a section without bytes (NOBITS). */
  size: number;
}

interface EditableSymbol {
  name: string;
  info: number;
  other: number;
  section: number;
  value: number;
  size: number;
}

interface EditableRelocation {
  offset: number;
  type: number;
  symbol: number;
  addend: number;
}

const headerBytes = 64;
const sectionBytes = 64;
const symbolBytes = 24;
const relocationBytes = 24;
const strtab = 3;
const nobits = 8;

/** A change that cannot be made, since the kernel for which the module was built has no such thing. */
export class MissingPart extends Error {}

const viewOf = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const encode = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

export class ObjectFile {
  readonly header: Uint8Array;
  readonly sections: EditableSection[];
  /** The symbols in the order of the table; the first is the null symbol. */
  readonly symbols: EditableSymbol[];
  #namesIndex: number;

  constructor(bytes: Uint8Array) {
    const view = viewOf(bytes);
    this.header = bytes.slice(0, headerBytes);
    const table = Number(view.getBigUint64(40, true));
    this.#namesIndex = view.getUint16(62, true);
    const names = table + this.#namesIndex * sectionBytes;
    const strings = bytes.subarray(Number(view.getBigUint64(names + 24, true)));
    this.sections = Array.from({ length: view.getUint16(60, true) }, (_, index) =>
      readSection(bytes, table + index * sectionBytes, strings),
    );
    this.symbols = this.#readSymbols();
  }

  section(name: string): EditableSection {
    const found = this.sections.find((each) => each.name === name);
    if (found === undefined) throw new MissingPart(`The module has no section "${name}"`);
    return found;
  }

  symbol(name: string): EditableSymbol {
    const found = this.symbols.find((each) => each.name === name);
    if (found === undefined) throw new MissingPart(`The module has no symbol "${name}"`);
    return found;
  }

  relocations(section: EditableSection): EditableRelocation[] {
    const view = viewOf(section.data);
    return Array.from({ length: section.data.length / relocationBytes }, (_, index) => {
      const at = index * relocationBytes;
      return {
        offset: Number(view.getBigUint64(at, true)),
        type: view.getUint32(at + 8, true),
        symbol: view.getUint32(at + 12, true),
        addend: Number(view.getBigInt64(at + 16, true)),
      };
    });
  }

  setRelocations(section: EditableSection, relocations: readonly EditableRelocation[]): void {
    setData(section, new Uint8Array(relocations.length * relocationBytes));
    const view = viewOf(section.data);
    for (const [index, { offset, type, symbol, addend }] of relocations.entries()) {
      const at = index * relocationBytes;
      view.setBigUint64(at, BigInt(offset), true);
      view.setUint32(at + 8, type, true);
      view.setUint32(at + 12, symbol, true);
      view.setBigInt64(at + 16, BigInt(addend), true);
    }
  }

  /** Exchanges two symbols of the table; everything that meant one still means it. */
  swapSymbols(first: string, second: string): void {
    const [a, b] = [first, second].map((name) => this.symbols.indexOf(this.symbol(name)));
    const swapped = new Map([
      [a!, b!],
      [b!, a!],
    ]);
    [this.symbols[a!], this.symbols[b!]] = [this.symbols[b!]!, this.symbols[a!]!];
    for (const section of this.sections.filter((each) => each.name.startsWith('.rela'))) {
      const changed = this.relocations(section).map((each) => ({
        ...each,
        symbol: swapped.get(each.symbol) ?? each.symbol,
      }));
      this.setRelocations(section, changed);
    }
  }

  bytes(): Uint8Array {
    this.#writeSymbols();
    const names = new StringTable();
    const nameOffsets = this.sections.map((each) => names.add(each.name));
    setData(this.sections[this.#namesIndex]!, names.bytes());
    const offsets = this.#layOut();
    const table = roundUp(offsets.end, 8);
    const out = new Uint8Array(table + this.sections.length * sectionBytes);
    out.set(this.header);
    viewOf(out).setBigUint64(40, BigInt(table), true);
    viewOf(out).setUint16(60, this.sections.length, true);
    for (const [index, section] of this.sections.entries()) {
      const offset = offsets.starts[index]!;
      if (section.type !== nobits) out.set(section.data, offset);
      writeSection(
        viewOf(out),
        table + index * sectionBytes,
        section,
        nameOffsets[index]!,
        index === 0 ? 0 : offset,
      );
    }
    return out;
  }

  #layOut(): { starts: number[]; end: number } {
    let end = headerBytes;
    const starts = this.sections.map((section) => {
      const start = roundUp(end, Math.max(section.align, 1));
      if (section.type !== nobits) end = start + section.data.length;
      return start;
    });
    return { starts, end };
  }

  #symbolTable(): EditableSection | undefined {
    return this.sections.find((each) => each.name === '.symtab');
  }

  #readSymbols(): EditableSymbol[] {
    const table = this.#symbolTable();
    if (table === undefined) return [];
    const view = viewOf(table.data);
    const strings = this.sections[table.link]!.data;
    return Array.from({ length: table.data.length / symbolBytes }, (_, index) => {
      const at = index * symbolBytes;
      return {
        name: stringAt(strings, view.getUint32(at, true)),
        info: view.getUint8(at + 4),
        other: view.getUint8(at + 5),
        section: view.getUint16(at + 6, true),
        value: Number(view.getBigUint64(at + 8, true)),
        size: Number(view.getBigUint64(at + 16, true)),
      };
    });
  }

  #writeSymbols(): void {
    const table = this.#symbolTable();
    if (table === undefined || this.sections[table.link]?.type !== strtab) return;
    const strings = new StringTable();
    setData(table, new Uint8Array(this.symbols.length * symbolBytes));
    const view = viewOf(table.data);
    for (const [index, symbol] of this.symbols.entries()) {
      const at = index * symbolBytes;
      view.setUint32(at, strings.add(symbol.name), true);
      view.setUint8(at + 4, symbol.info);
      view.setUint8(at + 5, symbol.other);
      view.setUint16(at + 6, symbol.section, true);
      view.setBigUint64(at + 8, BigInt(symbol.value), true);
      view.setBigUint64(at + 16, BigInt(symbol.size), true);
    }
    setData(this.sections[table.link]!, strings.bytes());
  }
}

export function setData(section: EditableSection, data: Uint8Array): void {
  section.data = data;
  section.size = data.length;
}

class StringTable {
  readonly #offsets = new Map<string, number>([['', 0]]);
  #text = '\0';

  add(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.#text.length;
    this.#offsets.set(name, offset);
    this.#text += `${name}\0`;
    return offset;
  }

  bytes(): Uint8Array {
    return encode(this.#text);
  }
}

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;

function stringAt(strings: Uint8Array, offset: number): string {
  return Buffer.from(strings.subarray(offset, strings.indexOf(0, offset))).toString('latin1');
}

function readSection(bytes: Uint8Array, at: number, names: Uint8Array): EditableSection {
  const view = viewOf(bytes);
  const word = (offset: number) => Number(view.getBigUint64(at + offset, true));
  const type = view.getUint32(at + 4, true);
  const [offset, size] = [word(24), word(32)];
  return {
    name: stringAt(names, view.getUint32(at, true)),
    type,
    flags: word(8),
    link: view.getUint32(at + 40, true),
    info: view.getUint32(at + 44, true),
    align: word(48),
    entryBytes: word(56),
    data: type === nobits ? new Uint8Array() : bytes.slice(offset, offset + size),
    size,
  };
}

/**
 * Writes a section's header. Addresses are all zero in a module, except for the data of `.codetag`, which the loader
 * ignores.
 */
function writeSection(
  view: DataView,
  at: number,
  section: EditableSection,
  name: number,
  offset: number,
): void {
  view.setUint32(at, name, true);
  view.setUint32(at + 4, section.type, true);
  view.setBigUint64(at + 8, BigInt(section.flags), true);
  view.setBigUint64(at + 24, BigInt(offset), true);
  view.setBigUint64(at + 32, BigInt(section.size), true);
  view.setUint32(at + 40, section.link, true);
  view.setUint32(at + 44, section.info, true);
  view.setBigUint64(at + 48, BigInt(section.align), true);
  view.setBigUint64(at + 56, BigInt(section.entryBytes), true);
}
