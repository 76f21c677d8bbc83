/**
 * Exports that only pass on what the module imports.
 *
 * An export may call the import, as its only call or chosen by number. It may point to it, return
 * its address, or write that into the caller's memory. It may also give out a table of pointers,
 * even one that is filled while the module runs. x86-64 only.
 */
import { sectionFlags, sectionIndexes, sectionTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import type { ExportTarget } from './exports.ts';
import type { SymbolExport } from './module.ts';
import { codeSection, lowerBound, type SectionReferences } from '../elf/references.ts';
import type { SymbolTable } from '../elf/symbol-table.ts';
import { DataObjects, filledPlaces, type FilledPlace } from './data-objects.ts';
import { addressUses, type ObjectParts } from './address-uses.ts';

/** The largest wrapper, with a few lines for the log around the call. */
const wrapperBytesMax = 256;
/** The largest dispatcher, with a branch for each import that it passes on. */
const dispatcherBytesMax = 2048;
/** More references than fit in so few bytes; a hostile file may repeat a place. */
const wrapperReferencesMax = 256;
/** Relocations of calls and jumps: PC32 and PLT32. */
const callTypes = new Set([2, 4]);
const jump = 0xe9;
const callBytes = new Set([0xe8, jump]);
/**
 * Whether the name is something that every function calls or jumps to, or that only writes to the
 * log.
 */
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

/**
 * Returns `[export, import]` of the plain exports that pass on imports; `targets` has the place of
 * each export. Throws `FormatError`.
 */
export function passedOnBy(
  exports: readonly SymbolExport[],
  targets: readonly (ExportTarget | undefined)[],
  parts: ObjectParts,
): (readonly [exported: string, imported: string])[] {
  const passing = new PassingExports(parts);
  return exports.flatMap(({ name, gplOnly }, index) => {
    const target = targets[index];
    if (gplOnly || target === undefined) return [];
    return [...new Set(passing.passedOn(target))].map((each) => [name, each] as const);
  });
}

/** A call or a jump out of the function, in the order of its code. */
interface Leaving {
  readonly name: string;
  readonly isJump: boolean;
}

class PassingExports {
  readonly #parts: ObjectParts;
  readonly #objects: DataObjects;
  #filled: readonly FilledPlace[] | undefined;

  constructor(parts: ObjectParts) {
    this.#parts = parts;
    this.#objects = new DataObjects(parts.elf, parts.symbols);
  }

  passedOn(target: ExportTarget): readonly string[] {
    const section = codeSection(this.#parts.elf, target.section);
    if (section === undefined) return this.#held(target, true);
    const { value, size } = target;
    if (size === 0 || size > dispatcherBytesMax || value < 0 || value + size > section.size)
      return [];
    const leaving = this.#leaving(section, target);
    if (leaving === undefined) return [];
    const called = [...new Set(leaving.map(({ name }) => name).filter(isNoPlumbing))];
    const [only] = called;
    if (called.length === 1 && size <= wrapperBytesMax) return [only!];
    if (called.length > 1) return eachReturns(leaving) ? called : this.#given(target, called);
    return called.length > 0 ? [] : [...this.#given(target, called), ...this.#tables(target)];
  }

  /**
   * Returns the calls and jumps of a function; undefined where it has more references than a
   * wrapper.
   */
  #leaving(section: Section, { value, size }: ExportTarget): readonly Leaving[] | undefined {
    const { elf, symbols, references } = this.#parts;
    const inside = references.of(section.index);
    const start = lowerBound(inside.offsets, value);
    const leaving: Leaving[] = [];
    for (let at = start; inside.offsets[at]! < value + size; at++) {
      if (at - start === wrapperReferencesMax) return undefined;
      const name = calledName(elf, symbols, section, inside, at);
      const opcode = elf.view.bytes[section.offset + inside.offsets[at]! - 1];
      if (name !== undefined) leaving.push({ name, isJump: opcode === jump });
    }
    return leaving;
  }

  /**
   * Returns addresses that the function returns or writes into memory, if it calls little besides.
   */
  #given(target: ExportTarget, called: readonly string[]): readonly string[] {
    const given = [...new Set(addressUses(this.#parts, target))];
    return given.length > called.length ? given : [];
  }

  /** Returns the imports in tables that a short function, which calls nothing, gives out. */
  #tables({ section: index, value, size }: ExportTarget): readonly string[] {
    const { symbols, references } = this.#parts;
    if (size > getterBytesMax) return [];
    const { offsets, symbols: named, types, addends } = references.of(index);
    const found: string[] = [];
    for (let at = lowerBound(offsets, value); offsets[at]! < value + size; at++) {
      const symbol = named[at]!;
      const beyond = codeAddressTypes.get(types[at]!);
      if (symbol >= symbols.count || beyond === undefined) continue;
      const section = symbols.section(symbol);
      const object = this.#objects.at(section, symbols.value(symbol) + addends[at]! + beyond);
      if (object !== undefined) found.push(...this.#held(object, true));
    }
    return found;
  }

  /** Returns the imports that data of the module points to, from the start or once it is filled. */
  #held(object: ExportTarget, follows: boolean): readonly string[] {
    const { size, section, value } = object;
    if (size > tableBytesMax) return [];
    this.#filled ??= filledPlaces(this.#parts);
    const filled = this.#filled.filter(
      (each) => each.section === section && each.value >= value && each.value < value + size,
    );
    return [...this.#pointedTo(object, follows), ...filled.map(({ imported }) => imported)];
  }

  /**
   * Returns the symbols outside the module that small data points to, if it points to nothing else.
   * A pointer to the module's data is followed.
   */
  #pointedTo({ section: index, value, size }: ExportTarget, follows: boolean): readonly string[] {
    const { elf, symbols, references } = this.#parts;
    const section = index < sectionIndexes.reserved ? elf.sections[index] : undefined;
    if (section?.type !== sectionTypes.progbits) return [];
    if ((section.flags & sectionFlags.execute) !== 0) return [];
    const { offsets, symbols: named, types, addends } = references.of(index);
    const names: string[] = [];
    for (let at = lowerBound(offsets, value); offsets[at]! < value + size; at++) {
      const symbol = named[at]!;
      if (types[at] !== addressType || names.length >= wrapperReferencesMax) return [];
      if (symbol >= symbols.count) return [];
      const where = symbols.section(symbol);
      if (where === sectionIndexes.undefined) {
        names.push(symbols.name(symbol));
        continue;
      }
      const object = this.#objects.at(where, symbols.value(symbol) + addends[at]!);
      const held = follows && object !== undefined ? this.#held(object, false) : [];
      if (held.length === 0) return [];
      names.push(...held);
    }
    return names;
  }
}

const isNoPlumbing = (name: string): boolean => !isPlumbing(name);
const returnThunk = '__x86_return_thunk';

/** Whether each call is the whole of one branch, so that none is followed by another one. */
function eachReturns(leaving: readonly Leaving[]): boolean {
  let open = false;
  for (const { name, isJump } of leaving) {
    if (name === returnThunk) open = false;
    if (isPlumbing(name)) continue;
    if (open) return false;
    open = !isJump;
  }
  return !open;
}

/** Returns the name behind a reference that is a call or a jump out of the module. */
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

/** Relocations of addresses: R_X86_64_64 in data, R_X86_64_PC32 and 32S in code. */
const addressType = 1;
const codeAddressTypes = new Map([
  [2, 4],
  [11, 0],
]);
const getterBytesMax = 64;
const tableBytesMax = 512;
