/**
 * A module's exports: `__ksymtab` and `__ksymtab_gpl`.
 *
 * An entry is a `struct kernel_symbol` of value, name and namespace. Each is a relative reference
 * of 32 bits, or an address of a machine word where the architecture has none. In a module they are
 * not filled in yet: their relocations determine what the loader will see, so these are read. The
 * local symbols `__ksymtab_NAME` are used only where relocations are missing. `__kcrctab*` has the
 * CRC of each entry. Newer kernels have one table, and in `__kflagstab` a byte an entry, whose
 * lowest bit is "GPL only". Source: include/linux/export-internal.h, kernel/module/internal.h.
 */
import { FormatError } from '../elf/bytes.ts';
import {
  sectionFlags,
  sectionIndexes,
  sectionTypes,
  type Relocation,
  type Section,
} from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { ExportTables, SymbolExport } from './module.ts';
import { SymbolTable } from '../elf/symbol-table.ts';

interface ModuleExports {
  readonly exports: readonly SymbolExport[];
  /** The target of each export, by index in `exports`; undefined without a relocation. */
  readonly targets: readonly (ExportTarget | undefined)[];
  readonly lackCrcs: boolean;
  readonly tables: ExportTables;
}

/** A place in a section of the module. */
export interface ExportTarget {
  readonly section: number;
  readonly value: number;
  /** The size in bytes; 0 when only the section is named. */
  readonly size: number;
}

interface Table {
  readonly section: Section;
  readonly crcs: Section | undefined;
  readonly flags: Section | undefined;
  readonly gplOnly: boolean;
}

interface FoundExport {
  readonly index: number;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly target: ExportTarget | undefined;
}

/** The most exports that are read; a whole kernel has a quarter of this. */
const exportsMax = 2 ** 17;

/** Reads the export tables. Throws `FormatError`. */
export function readExports(elf: Elf, symbols: SymbolTable | undefined): ModuleExports {
  const present = presentTables(elf);
  // A module with flags was made for a kernel that ignores the other table.
  const suffixes = present.flags ? [''] : ['', '_gpl'];
  const tables = suffixes.flatMap((suffix) => tableOf(elf, suffix) ?? []);
  const lackCrcs = tables.some((each) => each.crcs === undefined);
  if (symbols === undefined || tables.length === 0)
    return { exports: [], targets: [], lackCrcs, tables: present };
  const exports: SymbolExport[] = [];
  const targets: (ExportTarget | undefined)[] = [];
  let absolute: ReadonlyMap<string, number> | undefined;
  for (const table of tables) {
    const wordBytes = wordBytesOf(elf, table);
    let found = fromRelocations(elf, symbols, table, wordBytes);
    if (found.length === 0)
      found = fromSymbols(elf, symbols, table, entryBytesOf(table, wordBytes));
    for (const each of found) {
      let crc = crcAt(elf, table.crcs, each.index);
      if (crc === 0) crc = (absolute ??= absoluteCrcs(symbols)).get(each.name) ?? crc;
      const { name, namespace } = each;
      exports.push({ name, gplOnly: isGplOnly(elf, table, each.index), namespace, crc });
      targets.push(each.target);
    }
  }
  return { exports, targets, lackCrcs, tables: present };
}

function presentTables(elf: Elf): ExportTables {
  const has = (name: string) => elf.loadedSection(name) !== undefined;
  return {
    symbols: (elf.loadedSection('__ksymtab')?.size ?? 0) > 0,
    flags: has('__kflagstab'),
    gplSymbols: has('__ksymtab_gpl'),
    gplCrcs: has('__kcrctab_gpl'),
  };
}

function tableOf(elf: Elf, suffix: string): Table | undefined {
  const section = elf.loadedSection(`__ksymtab${suffix}`);
  if (section === undefined || section.size === 0) return undefined;
  if (section.type === sectionTypes.nobits) return undefined;
  if (section.size > exportsMax * 24) {
    throw new FormatError(`exports more than ${exportsMax} symbols`, section.offset);
  }
  const flags = suffix === '' ? elf.loadedSection('__kflagstab') : undefined;
  const crcs = elf.loadedSection(`__kcrctab${suffix}`);
  return { section, crcs, flags, gplOnly: suffix === '_gpl' };
}

function isGplOnly(elf: Elf, { flags, gplOnly }: Table, index: number): boolean {
  if (gplOnly || flags === undefined || index >= flags.size) return gplOnly;
  return flags.type !== sectionTypes.nobits && (elf.view.u8(flags.offset + index) & 1) !== 0;
}

function crcAt(elf: Elf, crcs: Section | undefined, index: number): number | undefined {
  if (crcs === undefined || crcs.type === sectionTypes.nobits) return undefined;
  return index * 4 + 4 <= crcs.size ? elf.view.u32(crcs.offset + index * 4) : undefined;
}

/**
 * Returns CRCs from symbols: before Linux 5.19 a linker's symbol held the CRC, and the table a
 * relocation to it.
 */
function absoluteCrcs(symbols: SymbolTable): ReadonlyMap<string, number> {
  const crcs = new Map<string, number>();
  for (let index = 1; index < symbols.count; index++) {
    if (symbols.section(index) !== sectionIndexes.absolute) continue;
    if (!symbols.nameBegins(index, crcPrefix)) continue;
    crcs.set(symbols.name(index).slice(crcPrefix.length), symbols.value(index));
  }
  return crcs;
}

const encoder = new TextEncoder();
const crcPrefix = encoder.encode('__crc_');
const entryPrefix = encoder.encode('__ksymtab_');
const namespacePrefix = encoder.encode('__kstrtabns_');

/** Returns the bytes of one reference: 4, or 8 where a 64-bit architecture has no relative ones. */
function wordBytesOf(elf: Elf, { section, crcs }: Table): number {
  if (elf.bits === 32) return 4;
  const entries = crcs === undefined ? 0 : crcs.size / 4;
  if (entries > 0) return section.size / entries === 24 ? 8 : 4;
  const relocations = relocationsOf(elf, section);
  if (relocations === undefined) return section.size % 12 === 0 ? 4 : 8;
  for (const { offset } of elf.relocations(relocations)) if (offset % 8 === 4) return 4;
  return 8;
}

/** Returns the size of an entry: three references, or two before Linux 5.4 had namespaces. */
function entryBytesOf({ section, crcs }: Table, wordBytes: number): number {
  const perEntry = crcs === undefined ? 0 : section.size / (crcs.size / 4);
  return perEntry === 2 * wordBytes ? perEntry : 3 * wordBytes;
}

function relocationsOf(elf: Elf, target: Section): Section | undefined {
  return elf.sections.find(
    (each) =>
      each.info === target.index &&
      (each.type === sectionTypes.rela || each.type === sectionTypes.rel) &&
      (each.flags & sectionFlags.livepatch) === 0,
  );
}

function fromRelocations(
  elf: Elf,
  symbols: SymbolTable,
  table: Table,
  wordBytes: number,
): FoundExport[] {
  const section = relocationsOf(elf, table.section);
  if (section === undefined) return [];
  if (section.size > exportsMax * 3 * 24) {
    throw new FormatError('has more relocations of exports than any module', section.offset);
  }
  const entryBytes = entryBytesOf(table, wordBytes);
  const words = new Map<number, Relocation>();
  for (const each of elf.relocations(section)) {
    if (each.offset < table.section.size) words.set(each.offset, each);
  }
  const found: FoundExport[] = [];
  const count = Math.floor(table.section.size / entryBytes);
  for (let index = 0; index < count; index++) {
    const at = index * entryBytes;
    const name = textAt(elf, symbols, table, words.get(at + wordBytes));
    if (name === undefined) continue;
    const namespace =
      entryBytes === 3 * wordBytes
        ? textAt(elf, symbols, table, words.get(at + 2 * wordBytes))
        : undefined;
    const target = targetOf(symbols, words.get(at));
    found.push({ index, name, namespace: namespace === '' ? undefined : namespace, target });
  }
  return found;
}

/** Returns the text that a reference will point to. */
function textAt(
  elf: Elf,
  symbols: SymbolTable,
  table: Table,
  reference: Relocation | undefined,
): string | undefined {
  if (reference === undefined || reference.symbol >= symbols.count) return undefined;
  const strings = elf.sections[symbols.section(reference.symbol)];
  if (strings === undefined || strings.index === 0) return undefined;
  if (strings.type === sectionTypes.nobits || strings.type === sectionTypes.null) return undefined;
  const offset = symbols.value(reference.symbol) + addendOf(elf, table, reference);
  if (!(offset >= 0 && offset < strings.size)) {
    throw new FormatError('exports a symbol whose name is outside its section', strings.offset);
  }
  return elf.names.read(strings.offset + offset, strings.offset + strings.size);
}

/** Returns the addend; 32-bit architectures with SHT_REL keep it in the place that is changed. */
function addendOf(elf: Elf, { section }: Table, { offset, addend }: Relocation): number {
  if (elf.bits === 64 || offset + 4 > section.size) return addend;
  return addend === 0 ? elf.view.i32(section.offset + offset) : addend;
}

function targetOf(
  symbols: SymbolTable,
  reference: Relocation | undefined,
): ExportTarget | undefined {
  if (reference === undefined || reference.symbol >= symbols.count) return undefined;
  const section = symbols.section(reference.symbol);
  const value = symbols.value(reference.symbol) + reference.addend;
  return { section, value, size: symbols.size(reference.symbol) };
}

function fromSymbols(
  elf: Elf,
  symbols: SymbolTable,
  { section }: Table,
  entryBytes: number,
): FoundExport[] {
  const names = new Map<number, string>();
  const namespaces = new Map<string, string>();
  for (let index = 1; index < symbols.count; index++) {
    if (symbols.section(index) === section.index) {
      if (symbols.nameBegins(index, entryPrefix)) {
        const name = symbols.name(index).slice(entryPrefix.length);
        names.set(Math.floor(symbols.value(index) / entryBytes), name);
      }
    } else if (symbols.nameBegins(index, namespacePrefix)) {
      const text = symbolText(elf, symbols, index);
      if (text !== '') namespaces.set(symbols.name(index).slice(namespacePrefix.length), text);
    }
  }
  return [...names]
    .sort(([one], [other]) => one - other)
    .map(([index, name]) => ({
      index,
      name,
      namespace: namespaces.get(name),
      target: undefined,
    }));
}

function symbolText(elf: Elf, symbols: SymbolTable, index: number): string {
  const strings = elf.sections[symbols.section(index)];
  if (strings === undefined || strings.type !== sectionTypes.progbits) return '';
  const value = symbols.value(index);
  if (value >= strings.size) return '';
  return elf.names.read(strings.offset + value, strings.offset + strings.size);
}
