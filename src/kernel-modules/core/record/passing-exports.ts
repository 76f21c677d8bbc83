/**
 * Exports that only pass on what the module imports: by calling it, by pointing to it, or by giving
 * out a table of pointers. x86-64 alone.
 */
import {
  sectionFlags,
  sectionIndexes,
  sectionTypes,
  symbolTypes,
  type Section,
} from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { ExportTarget } from './exports.ts';
import type { SymbolExport } from './module.ts';
import {
  codeSection,
  lowerBound,
  placeKey,
  type References,
  type SectionReferences,
} from '../elf/references.ts';
import type { SymbolTable } from '../elf/symbol-table.ts';

/** With a few lines for the log around the call. */
const wrapperBytesMax = 256;
/** More than fits in so few bytes; a hostile file may repeat a place. */
const wrapperReferencesMax = 64;
/** PC32 and PLT32: calls and jumps. */
const callTypes = new Set([2, 4]);
const callBytes = new Set([0xe8, 0xe9]);
/** What every function calls or jumps to, and what only writes to the log. */
const isPlumbing = (name: string): boolean =>
  plumbing.has(name) || name.startsWith('__x86_indirect_thunk_') || name.startsWith('_dev_');
const plumbing = new Set([
  '__fentry__',
  '__x86_return_thunk',
  '__stack_chk_fail',
  '_printk',
  '_printk_deferred',
  '__printk_ratelimit',
  '___ratelimit',
  '__dynamic_pr_debug',
  '__dynamic_dev_dbg',
  '__warn_printk',
  'dump_stack',
]);

interface ObjectParts {
  readonly elf: Elf;
  readonly symbols: SymbolTable;
  readonly references: References;
}

/**
 * Of the plain exports, `[export, import]`; `targets` has where each of them leads. Throws
 * `FormatError`.
 */
export function passedOnBy(
  exports: readonly SymbolExport[],
  targets: readonly (ExportTarget | undefined)[],
  parts: ObjectParts,
): (readonly [exported: string, imported: string])[] {
  const objects = new DataObjects(parts.symbols);
  return exports.flatMap(({ name, gplOnly }, index) => {
    const target = targets[index];
    if (gplOnly || target === undefined) return [];
    const passed = passedOn(parts, objects, target);
    return passed.map((each) => [name, each] as const);
  });
}

function passedOn(
  parts: ObjectParts,
  objects: DataObjects,
  target: ExportTarget,
): readonly string[] {
  const called = callsOf(parts, target);
  if (called === undefined) return pointedTo(parts, target);
  const [only, ...more] = called;
  if (more.length > 0) return [];
  if (only !== undefined) return [only];
  const table = givenTable(parts, objects, target);
  return table === undefined ? [] : pointedTo(parts, table);
}

/** The symbols outside of the module that a short function calls; undefined when it is none. */
function callsOf(
  { elf, symbols, references }: ObjectParts,
  { section: index, value, size }: ExportTarget,
): readonly string[] | undefined {
  const section = codeSection(elf, index);
  if (section === undefined || size === 0 || size > wrapperBytesMax) return undefined;
  if (value < 0 || value + size > section.size) return undefined;
  const inside = references.of(index);
  const start = lowerBound(inside.offsets, value);
  const called = new Set<string>();
  for (let at = start; inside.offsets[at]! < value + size; at++) {
    if (at - start === wrapperReferencesMax) return undefined;
    const name = calledName(elf, symbols, section, inside, at);
    if (name !== undefined && !isPlumbing(name)) called.add(name);
  }
  return [...called];
}

/** When this reference is a call or a jump out of the module. */
function calledName(
  elf: Elf,
  symbols: SymbolTable,
  section: Section,
  { offsets, symbols: named, types }: SectionReferences,
  at: number,
): string | undefined {
  const symbol = named[at]!;
  if (symbol >= symbols.count || symbols.section(symbol) !== sectionIndexes.undefined)
    return undefined;
  const opcode = elf.view.bytes[section.offset + offsets[at]! - 1] ?? 0;
  return callTypes.has(types[at]!) && callBytes.has(opcode) ? symbols.name(symbol) : undefined;
}

/** R_X86_64_64: an address in data. R_X86_64_PC32 and 32S: one in code. */
const addressType = 1;
const codeAddressTypes = new Map([
  [2, 4],
  [11, 0],
]);
const getterBytesMax = 64;

/**
 * The one object of data of the module itself that a short function, which calls nothing, gives
 * out.
 */
function givenTable(
  { elf, symbols, references }: ObjectParts,
  objects: DataObjects,
  { section: index, value, size }: ExportTarget,
): ExportTarget | undefined {
  if (size > getterBytesMax) return undefined;
  const { offsets, symbols: named, types, addends } = references.of(index);
  const found = new Set<ExportTarget>();
  for (let at = lowerBound(offsets, value); offsets[at]! < value + size; at++) {
    const symbol = named[at]!;
    const beyond = codeAddressTypes.get(types[at]!);
    if (symbol >= symbols.count || beyond === undefined) continue;
    const section = symbols.section(symbol);
    if (codeSection(elf, section) !== undefined) continue;
    const object = objects.at(section, symbols.value(symbol) + addends[at]! + beyond);
    if (object !== undefined) found.add(object);
  }
  return found.size === 1 ? [...found][0] : undefined;
}

/** Objects of data by where they begin. */
class DataObjects {
  readonly #symbols: SymbolTable;
  #known: Map<number, ExportTarget> | undefined;

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols;
  }

  at(section: number, value: number): ExportTarget | undefined {
    this.#known ??= this.#collect();
    return this.#known.get(placeKey(section, value));
  }

  #collect(): Map<number, ExportTarget> {
    const found = new Map<number, ExportTarget>();
    const symbols = this.#symbols;
    for (let index = 1; index < symbols.count; index++) {
      if (symbols.type(index) !== symbolTypes.object) continue;
      const [section, value] = [symbols.section(index), symbols.value(index)];
      found.set(placeKey(section, value), { section, value, size: symbols.size(index) });
    }
    return found;
  }
}

const tableBytesMax = 512;

/** The symbols outside of the module that small data points to, and to nothing else. */
function pointedTo(
  { elf, symbols, references }: ObjectParts,
  { section: index, value, size }: ExportTarget,
): string[] {
  const section = index < sectionIndexes.reserved ? elf.sections[index] : undefined;
  if (section?.type !== sectionTypes.progbits || size > tableBytesMax) return [];
  if ((section.flags & sectionFlags.execute) !== 0) return [];
  const { offsets, symbols: named, types } = references.of(index);
  const names: string[] = [];
  for (let at = lowerBound(offsets, value); offsets[at]! < value + size; at++) {
    const symbol = named[at]!;
    if (types[at] !== addressType || names.length === wrapperReferencesMax) return [];
    if (symbol >= symbols.count || symbols.section(symbol) !== sectionIndexes.undefined) return [];
    names.push(symbols.name(symbol));
  }
  return names;
}
