/**
 * Small object files for tests: any width and byte order, and able to lie.
 *
 * `buildElf` writes what it is told; `buildModule` writes what modpost would: `.modinfo`, `__versions`,
 * `__ksymtab*` with their relocations, `struct module` and a symbol table.
 */
import { machines, sectionFlags, sectionTypes } from '../../core/elf/elf-format.ts';

export interface SectionSpec {
  readonly name: string;
  /** One of `sectionTypes`; by default PROGBITS. */
  readonly type?: number;
  readonly flags?: number;
  readonly data?: Uint8Array;
  /** The size in the header; by default the length of `data`. */
  readonly size?: number;
  /** The offset in the header; by default the place where `data` was written. */
  readonly offset?: number;
  readonly address?: number;
  readonly link?: number;
  readonly info?: number;
  readonly relocations?: readonly RelocationSpec[];
  /** The flags of the section with its relocations. */
  readonly relocationFlags?: number;
}

export interface RelocationSpec {
  readonly offset: number;
  readonly type: number;
  /** Name of one of the symbols. */
  readonly symbol: string;
  readonly addend?: number;
}

export interface SymbolSpec {
  readonly name: string;
  /** Name of a section, or a section index. Undefined symbol unless given. */
  readonly section?: string | number;
  readonly value?: number;
  readonly size?: number;
  /** One of `bindings`; by default global. */
  readonly binding?: number;
  readonly type?: number;
}

export interface ElfSpec {
  readonly bits?: 32 | 64;
  readonly bigEndian?: boolean;
  readonly machine?: number;
  readonly type?: number;
  readonly sections: readonly SectionSpec[];
  readonly symbols?: readonly SymbolSpec[];
  /** Leaves the symbol table out. */
  readonly stripped?: boolean;
}

/** Writes numbers one after the other. */
class Writer {
  readonly bits: 32 | 64;
  readonly #littleEndian: boolean;
  #bytes = new Uint8Array(256);
  length = 0;

  constructor(bits: 32 | 64, bigEndian: boolean) {
    this.bits = bits;
    this.#littleEndian = !bigEndian;
  }

  #room(size: number): DataView {
    if (this.length + size > this.#bytes.length) {
      const larger = new Uint8Array((this.length + size) * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    const view = new DataView(this.#bytes.buffer, this.length, size);
    this.length += size;
    return view;
  }

  u8(value: number): void {
    this.#room(1).setUint8(0, value);
  }

  u16(value: number): void {
    this.#room(2).setUint16(0, value, this.#littleEndian);
  }

  u32(value: number): void {
    this.#room(4).setUint32(0, value, this.#littleEndian);
  }

  /** Writes a machine word. */
  word(value: number): void {
    if (this.bits === 32) this.#room(4).setInt32(0, value, this.#littleEndian);
    else this.#room(8).setBigInt64(0, BigInt(value), this.#littleEndian);
  }

  write(bytes: Uint8Array): number {
    const at = this.length;
    this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return at;
  }

  align(size: number): void {
    while (this.length % size !== 0) this.u8(0);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length);
  }
}

const encoder = new TextEncoder();

/**
 * Returns one byte for each character up to U+00FF, so that text that is not UTF-8 can be written, too.
 */
export const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Strings one after the other, each ended by a NUL. */
export const stringsOf = (...texts: readonly string[]): Uint8Array<ArrayBuffer> =>
  encoder.encode(texts.map((text) => `${text}\0`).join(''));

class StringTable {
  #text = '\0';

  add(text: string): number {
    if (text === '') return 0;
    const at = this.#text.length;
    this.#text += `${text}\0`;
    return at;
  }

  get bytes(): Uint8Array {
    return bytesOf(this.#text);
  }
}

interface Headed extends SectionSpec {
  readonly entryBytes: number;
}

/**
 * Builds the file: the sections in their order, then those with relocations, `.symtab`, `.strtab` and
 * `.shstrtab`.
 */
export function buildElf(spec: ElfSpec): Uint8Array<ArrayBuffer> {
  const { bits = 64, bigEndian = false, machine = machines.x8664, type = 1 } = spec;
  const sections = allSections(spec, bits, bigEndian);
  const names = new StringTable();
  const nameOffsets = sections.map((each) => names.add(each.name));
  sections.push({ ...plain('.shstrtab', sectionTypes.strtab), data: new Uint8Array() });
  nameOffsets.push(names.add('.shstrtab'));
  sections[sections.length - 1] = { ...sections.at(-1)!, data: names.bytes };

  const body = new Writer(bits, bigEndian);
  body.write(new Uint8Array(bits === 64 ? 64 : 52));
  const offsets = sections.map((each) => {
    body.align(8);
    return body.write(each.data ?? new Uint8Array());
  });
  body.align(8);
  const tableOffset = body.length;
  sections.forEach((each, index) => {
    writeSectionHeader(body, each, nameOffsets[index]!, offsets[index]!);
  });
  const file = body.bytes;
  file.set(header({ bits, bigEndian, machine, type, tableOffset, count: sections.length }));
  return file;
}

const plain = (name: string, type: number, flags = 0): Headed => ({
  name,
  type,
  flags,
  entryBytes: 0,
});

function allSections(spec: ElfSpec, bits: 32 | 64, bigEndian: boolean): Headed[] {
  const symbols = spec.symbols ?? [];
  const given = spec.sections.map((each) => ({ ...each, entryBytes: 0 }));
  const relocated = given.filter((each) => each.relocations !== undefined);
  const symbolTableIndex = 1 + given.length + relocated.length;
  const relocations = relocated.map((each): Headed => {
    const rela = bits === 64;
    return {
      ...plain(
        `${rela ? '.rela' : '.rel'}${each.name}`,
        rela ? sectionTypes.rela : sectionTypes.rel,
        each.relocationFlags ?? 0,
      ),
      data: relocationBytes(each.relocations ?? [], symbols, bits, bigEndian),
      link: symbolTableIndex,
      info: 1 + given.indexOf(each),
      entryBytes: rela ? 24 : 8,
    };
  });
  const sections: Headed[] = [plain('', sectionTypes.null), ...given, ...relocations];
  if (spec.stripped === true) return sections;
  const strings = new StringTable();
  const indexOf = (name: string) => sections.findIndex((each) => each.name === name);
  sections.push({
    ...plain('.symtab', sectionTypes.symtab),
    data: symbolBytes(symbols, strings, indexOf, bits, bigEndian),
    link: symbolTableIndex + 1,
    info: 1,
    entryBytes: bits === 64 ? 24 : 16,
  });
  sections.push({ ...plain('.strtab', sectionTypes.strtab), data: strings.bytes });
  return sections;
}

function symbolBytes(
  symbols: readonly SymbolSpec[],
  strings: StringTable,
  indexOf: (section: string) => number,
  bits: 32 | 64,
  bigEndian: boolean,
): Uint8Array {
  const out = new Writer(bits, bigEndian);
  const first: SymbolSpec = { name: '', binding: 0 };
  for (const each of [first, ...symbols]) {
    const { section = 0, value = 0, size = 0, binding = 1, type = 0 } = each;
    const index = typeof section === 'number' ? section : indexOf(section);
    out.u32(strings.add(each.name));
    if (bits === 32) {
      out.u32(value);
      out.u32(size);
    }
    out.u8((binding << 4) | type);
    out.u8(0);
    out.u16(index);
    if (bits === 64) {
      out.word(value);
      out.word(size);
    }
  }
  return out.bytes;
}

function relocationBytes(
  relocations: readonly RelocationSpec[],
  symbols: readonly SymbolSpec[],
  bits: 32 | 64,
  bigEndian: boolean,
): Uint8Array {
  const out = new Writer(bits, bigEndian);
  for (const { offset, type, symbol, addend = 0 } of relocations) {
    const index = 1 + symbols.findIndex((each) => each.name === symbol);
    out.word(offset);
    if (bits === 32) out.u32((index << 8) | type);
    else {
      out.u32(bigEndian ? index : type);
      out.u32(bigEndian ? type : index);
      out.word(addend);
    }
  }
  return out.bytes;
}

function writeSectionHeader(out: Writer, section: Headed, name: number, at: number): void {
  const { type = sectionTypes.progbits, flags = 0, data = new Uint8Array() } = section;
  const isFirst = type === sectionTypes.null;
  out.u32(name);
  out.u32(type);
  out.word(flags);
  out.word(section.address ?? 0);
  out.word(section.offset ?? (isFirst ? 0 : at));
  out.word(section.size ?? data.length);
  out.u32(section.link ?? 0);
  out.u32(section.info ?? 0);
  out.word(isFirst ? 0 : 8);
  out.word(section.entryBytes);
}

interface Header {
  readonly bits: 32 | 64;
  readonly bigEndian: boolean;
  readonly machine: number;
  readonly type: number;
  readonly tableOffset: number;
  readonly count: number;
}

function header({ bits, bigEndian, machine, type, tableOffset, count }: Header): Uint8Array {
  const out = new Writer(bits, bigEndian);
  out.write(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, bits / 32, bigEndian ? 2 : 1, 1, 0));
  out.write(new Uint8Array(8));
  out.u16(type);
  out.u16(machine);
  out.u32(1);
  out.word(0);
  out.word(0);
  out.word(tableOffset);
  out.u32(0);
  out.u16(bits === 64 ? 64 : 52);
  out.u16(0);
  out.u16(0);
  out.u16(bits === 64 ? 64 : 40);
  out.u16(count);
  out.u16(count - 1);
  return out.bytes;
}

export interface ImportSpec {
  readonly name: string;
  readonly weak?: boolean;
  readonly crc?: number;
}

export interface ExportSpec {
  readonly name: string;
  readonly gplOnly?: boolean;
  readonly namespace?: string;
  readonly crc?: number;
}

export interface ModuleSpec extends Omit<ElfSpec, 'sections'> {
  /** The name in `struct module`. It is also `name=`, unless `modinfo` is given. */
  readonly name?: string;
  /** Whole entries, `license=GPL`; false leaves the section out. */
  readonly modinfo?: readonly string[] | false;
  /** Undefined symbols, in this order, before the ones in `symbols`. */
  readonly imports?: readonly (string | ImportSpec)[];
  /** False leaves `__versions` out; `extended` writes `__version_ext_*`, too. */
  readonly versions?: boolean | 'extended';
  /** Flags of `__versions`. */
  readonly versionsFlags?: number;
  /** CRC of `module_layout`; false when there is no entry. */
  readonly layoutCrc?: number | false;
  readonly exports?: readonly ExportSpec[];
  /** False leaves `__kcrctab*` out. */
  readonly exportCrcs?: boolean;
  /** Two tables by license, or one with a table of flags. */
  readonly exportLayout?: 'two tables' | 'flags';
  /** Size of `struct module`; 0 leaves it out. */
  readonly structBytes?: number;
  /** Changes `struct module` before it is written. */
  readonly spoilStruct?: (bytes: Uint8Array) => void;
  readonly sections?: readonly SectionSpec[];
}

export const sampleVermagic = '6.12.118 SMP preempt mod_unload modversions ';
export const sampleModinfo = (name: string): readonly string[] => [
  'license=GPL',
  'intree=Y',
  'retpoline=Y',
  `name=${name}`,
  `vermagic=${sampleVermagic}`,
];

const { alloc, write, execute } = sectionFlags;

/**
 * Builds a module that a kernel with `sampleVermagic` loads, unless the specification says otherwise.
 */
export function buildModule(spec: ModuleSpec = {}): Uint8Array<ArrayBuffer> {
  const { bits = 64, bigEndian = false, name = 'sample', structBytes = 1280 } = spec;
  const imports = (spec.imports ?? []).map((each) =>
    typeof each === 'string' ? { name: each } : each,
  );
  const modinfo = spec.modinfo ?? sampleModinfo(name);
  const exported = exportTables(spec, bits, bigEndian);
  const sections: SectionSpec[] = [
    { name: '.text', flags: alloc | execute, data: new Uint8Array(64) },
    ...(modinfo === false
      ? []
      : [{ name: '.modinfo', flags: alloc, data: bytesOf(modinfo.join('\0') + '\0') }]),
    ...versionSections(spec, imports, bits, bigEndian),
    ...exported.sections,
    ...(structBytes === 0
      ? []
      : [
          {
            name: '.gnu.linkonce.this_module',
            flags: alloc | write,
            data: structModule(name, structBytes, bits, spec.spoilStruct),
          },
        ]),
    ...filled(spec.machine),
    ...(spec.sections ?? []),
  ];
  const symbols: SymbolSpec[] = [
    ...exported.symbols,
    ...imports.map(({ name, weak }) => ({ name, binding: weak === true ? 2 : 1 })),
    ...(spec.symbols ?? []),
  ];
  return buildElf({ ...spec, sections, symbols });
}

/** Sections that the linker makes for the loader to fill. */
const filled = (machine: number | undefined): SectionSpec[] =>
  machine === machines.arm64
    ? ['.plt', '.init.plt'].map((name) => ({
        name,
        flags: alloc | execute,
        data: new Uint8Array(1),
      }))
    : [];

function structModule(
  name: string,
  size: number,
  bits: 32 | 64,
  spoil: ((bytes: Uint8Array) => void) | undefined,
): Uint8Array {
  const bytes = new Uint8Array(size);
  const at = bits === 64 ? 24 : 12;
  bytes.set(bytesOf(name).subarray(0, Math.max(0, size - at)), Math.min(at, size));
  spoil?.(bytes);
  return bytes;
}

function versionSections(
  spec: ModuleSpec,
  imports: readonly ImportSpec[],
  bits: 32 | 64,
  bigEndian: boolean,
): SectionSpec[] {
  const { versions = true, layoutCrc = 0x1234, versionsFlags = alloc } = spec;
  if (versions === false) return [];
  const layout = layoutCrc === false ? [] : [{ name: 'module_layout', crc: layoutCrc }];
  const known: ImportSpec[] = [...layout, ...imports];
  const table = new Writer(bits, bigEndian);
  const crcs = new Writer(bits, bigEndian);
  const names: string[] = [];
  for (const { name, crc } of known) {
    if (crc === undefined) continue;
    crcs.u32(crc);
    names.push(name);
    if (name.length >= 56) continue;
    // An `unsigned long`, as the kernel has it: no sign.
    if (bits === 64 && bigEndian) table.u32(0);
    table.u32(crc);
    if (bits === 64 && !bigEndian) table.u32(0);
    const padded = new Uint8Array(64 - bits / 8);
    padded.set(bytesOf(name));
    table.write(padded);
  }
  const sections: SectionSpec[] = [{ name: '__versions', flags: versionsFlags, data: table.bytes }];
  if (versions === 'extended') {
    sections.push({ name: '__version_ext_crcs', flags: versionsFlags, data: crcs.bytes });
    sections.push({
      name: '__version_ext_names',
      flags: versionsFlags,
      data: stringsOf(...names),
    });
  }
  return sections;
}

/** x86-64 and i386 name the same relative relocation 2. */
const relative = 2;

function exportTables(
  spec: ModuleSpec,
  bits: 32 | 64,
  bigEndian: boolean,
): { sections: SectionSpec[]; symbols: SymbolSpec[] } {
  const exports = spec.exports ?? [];
  const sections: SectionSpec[] = [];
  const symbols: SymbolSpec[] = [];
  if (exports.length === 0) return { sections, symbols };
  const strings = new Writer(bits, bigEndian);
  for (const { name, namespace = '' } of exports) {
    const local = { binding: 0, section: '__ksymtab_strings' };
    symbols.push({ ...local, name: `__kstrtab_${name}`, value: strings.write(stringsOf(name)) });
    symbols.push({
      ...local,
      name: `__kstrtabns_${name}`,
      value: strings.write(stringsOf(namespace)),
    });
    symbols.push({ name, section: '.text', type: 2, size: 16 });
  }
  sections.push({ name: '__ksymtab_strings', flags: alloc, data: strings.bytes });
  const oneTable = spec.exportLayout === 'flags';
  const tables: readonly (readonly [suffix: string, entries: readonly ExportSpec[]])[] = oneTable
    ? [['', exports]]
    : [
        ['', exports.filter((each) => each.gplOnly !== true)],
        ['_gpl', exports.filter((each) => each.gplOnly === true)],
      ];
  for (const [suffix, entries] of tables) {
    if (entries.length === 0) continue;
    const table = `__ksymtab${suffix}`;
    const relocations = entries.flatMap(({ name }, index) =>
      [name, `__kstrtab_${name}`, `__kstrtabns_${name}`].map((symbol, word) => ({
        offset: index * 12 + word * 4,
        type: relative,
        symbol,
      })),
    );
    entries.forEach(({ name }, index) => {
      symbols.push({ name: `__ksymtab_${name}`, section: table, value: index * 12, binding: 0 });
    });
    sections.push({
      name: table,
      flags: alloc,
      data: new Uint8Array(entries.length * 12),
      relocations,
    });
    if (oneTable) {
      const flags = Uint8Array.from(entries, (each) => (each.gplOnly === true ? 1 : 0));
      sections.push({ name: '__kflagstab', flags: alloc, data: flags });
    }
    if (spec.exportCrcs === false) continue;
    const crcs = new Writer(bits, bigEndian);
    for (const { crc = 0 } of entries) crcs.u32(crc);
    sections.push({ name: `__kcrctab${suffix}`, flags: alloc, data: crcs.bytes });
  }
  return { sections, symbols };
}

/** Puts a signature behind an object file as sign-file does; the trailer can be changed. */
export function appendSignature(
  elf: Uint8Array,
  pkcs7: Uint8Array,
  trailer: { readonly idType?: number; readonly length?: number; readonly algorithm?: number } = {},
): Uint8Array<ArrayBuffer> {
  const out = new Writer(64, true);
  out.write(elf);
  out.write(pkcs7);
  out.write(Uint8Array.of(trailer.algorithm ?? 0, 0, trailer.idType ?? 2, 0, 0, 0, 0, 0));
  out.u32(trailer.length ?? pkcs7.length);
  out.write(bytesOf('~Module signature appended~\n'));
  return out.bytes;
}
