/**
 * Facts about the code and data of a module, from its symbols' sizes and its relocations. x86-64 alone.
 */
import { FormatError } from './bytes.ts';
import {
  elfTypes,
  machines,
  sectionFlags,
  sectionIndexes,
  sectionTypes,
  symbolTypes,
  type Elf,
  type Section,
} from './elf.ts';
import type { ExportTarget } from './exports.ts';
import type { DeepObservations, SymbolExport } from './module.ts';
import { SymbolTable } from './symbol-table.ts';

/** Undefined on other machines. Throws `FormatError`. */
export function observeDeeply(
  elf: Elf,
  symbols: SymbolTable,
  exports: readonly SymbolExport[],
  targets: readonly (ExportTarget | undefined)[],
): DeepObservations | undefined {
  if (elf.machine !== machines.x8664 || elf.bits !== 64 || elf.type !== elfTypes.relocatable)
    return undefined;
  const references = new References(elf);
  return {
    ...countReturns(elf, symbols, references),
    wrappers: wrappersOf(elf, symbols, references, exports, targets),
    denseObjects: denseObjectsOf(elf, symbols),
  };
}

interface SectionReferences {
  /** Ascending. */
  readonly offsets: Float64Array;
  readonly symbols: Uint32Array;
  readonly types: Uint32Array;
}

/** Several times what the largest drivers have in one section. */
const relocationsMax = 2 ** 22;

/** The relocations of each section of code, in the order of the places they change. */
class References {
  readonly #elf: Elf;
  readonly #known = new Map<number, SectionReferences>();
  readonly #sections = new Map<number, Section>();
  #left = relocationsMax;

  constructor(elf: Elf) {
    this.#elf = elf;
    for (const each of elf.sections) {
      if (each.type === sectionTypes.rela && !this.#sections.has(each.info)) {
        this.#sections.set(each.info, each);
      }
    }
  }

  of(target: number): SectionReferences {
    const known = this.#known.get(target) ?? this.#read(this.#sections.get(target));
    this.#known.set(target, known);
    return known;
  }

  #read(section: Section | undefined): SectionReferences {
    this.#left -= (section?.size ?? 0) / 24;
    if (this.#left < 0) {
      throw new FormatError('has more relocations than any module', section?.headerOffset ?? 0);
    }
    const all = section === undefined ? [] : [...this.#elf.relocations(section)];
    all.sort((one, other) => one.offset - other.offset);
    return {
      offsets: Float64Array.from(all, (each) => each.offset),
      symbols: Uint32Array.from(all, (each) => each.symbol),
      types: Uint32Array.from(all, (each) => each.type),
    };
  }
}

/** Index of the first number that is not below the wanted one. */
function lowerBound(sorted: Float64Array, wanted: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

const ret = 0xc3;
const int3 = 0xcc;
const paddingPrefix = new TextEncoder().encode('__pfx_');
/** A speculation trap or two after the return. */
const trapBytesMax = 4;

function countReturns(
  elf: Elf,
  symbols: SymbolTable,
  references: References,
): Pick<DeepObservations, 'functions' | 'plainReturns'> {
  let [functions, plainReturns] = [0, 0];
  for (let index = 1; index < symbols.count; index++) {
    if (symbols.type(index) !== symbolTypes.function) continue;
    const section = codeSection(elf, symbols.section(index));
    const [value, size] = [symbols.value(index), symbols.size(index)];
    if (section === undefined || size === 0 || value + size > section.size) continue;
    if (symbols.nameBegins(index, paddingPrefix)) continue;
    functions++;
    if (endsInReturn(elf, section, value, size, references)) plainReturns++;
  }
  return { functions, plainReturns };
}

function codeSection(elf: Elf, index: number): Section | undefined {
  if (index === 0 || index >= sectionIndexes.reserved) return undefined;
  const section = elf.sections[index];
  if (section?.type !== sectionTypes.progbits) return undefined;
  return (section.flags & sectionFlags.execute) === 0 ? undefined : section;
}

function endsInReturn(
  elf: Elf,
  section: Section,
  value: number,
  size: number,
  references: References,
): boolean {
  const { bytes } = elf.view;
  let last = value + size - 1;
  const first = Math.max(value, last - trapBytesMax);
  while (last > first && bytes[section.offset + last] === int3) last--;
  if (bytes[section.offset + last] !== ret) return false;
  // The byte may be the end of an address that is still to be filled in.
  const { offsets } = references.of(section.index);
  const at = lowerBound(offsets, last - 3);
  return !(at < offsets.length && offsets[at]! <= last);
}

const wrapperBytesMax = 64;
/** More than can stand in so few bytes; a hostile file may repeat a place. */
const wrapperReferencesMax = 32;
/** PC32 and PLT32: calls and jumps. */
const callTypes = new Set([2, 4]);
const callBytes = new Set([0xe8, 0xe9]);
/** What every function calls or jumps to. */
const isPlumbing = (name: string): boolean =>
  name === '__fentry__' ||
  name === '__x86_return_thunk' ||
  name === '__stack_chk_fail' ||
  name.startsWith('__x86_indirect_thunk_');

function wrappersOf(
  elf: Elf,
  symbols: SymbolTable,
  references: References,
  exports: readonly SymbolExport[],
  targets: readonly (ExportTarget | undefined)[],
): (readonly [string, string])[] {
  return exports.flatMap(({ name, gplOnly }, index) => {
    const target = targets[index];
    if (gplOnly || target === undefined) return [];
    const called = onlyCall(elf, symbols, references, target);
    const passed = called === undefined ? pointedTo(elf, symbols, references, target) : [called];
    return passed.map((each) => [name, each] as const);
  });
}

/** The one symbol outside of the module that a short function calls. */
function onlyCall(
  elf: Elf,
  symbols: SymbolTable,
  references: References,
  { section: index, value, size }: ExportTarget,
): string | undefined {
  const section = codeSection(elf, index);
  if (section === undefined || size === 0 || size > wrapperBytesMax) return undefined;
  if (value < 0 || value + size > section.size) return undefined;
  const inside = references.of(index);
  const start = lowerBound(inside.offsets, value);
  let only: string | undefined;
  for (let at = start; inside.offsets[at]! < value + size; at++) {
    if (at - start === wrapperReferencesMax) return undefined;
    const name = calledName(elf, symbols, section, inside, at);
    if (name === undefined || name === only || isPlumbing(name)) continue;
    if (only !== undefined) return undefined;
    only = name;
  }
  return only;
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

/** R_X86_64_64: an address in data. */
const addressType = 1;

/** The symbols outside of the module that small exported data points to, and to nothing else. */
function pointedTo(
  elf: Elf,
  symbols: SymbolTable,
  references: References,
  { section: index, value, size }: ExportTarget,
): string[] {
  const section = index < sectionIndexes.reserved ? elf.sections[index] : undefined;
  if (section?.type !== sectionTypes.progbits || size > wrapperBytesMax) return [];
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

const denseBytesMin = 16 * 1024;
const denseBitsMin = 7;

function denseObjectsOf(elf: Elf, symbols: SymbolTable): DeepObservations['denseObjects'] {
  const dense: DeepObservations['denseObjects'][number][] = [];
  const seen = new Set<string>();
  // Objects may overlap in a hostile file: no more is read than a true one can hold.
  let budget = elf.view.length;
  for (let index = 1; index < symbols.count; index++) {
    if (symbols.type(index) !== symbolTypes.object) continue;
    const [value, size] = [symbols.value(index), symbols.size(index)];
    if (size < denseBytesMin) continue;
    const section = elf.sections[symbols.section(index)];
    if (section?.type !== sectionTypes.progbits || value + size > section.size) continue;
    const key = `${section.index}:${value}`;
    if (seen.has(key)) continue;
    seen.add(key);
    budget -= size;
    if (budget < 0) break;
    const at = section.offset + value;
    const bits = entropyBits(elf.view.bytes.subarray(at, at + size));
    if (bits > denseBitsMin) dense.push({ name: symbols.name(index), bytes: size, bits });
  }
  return dense;
}

/** Bits a byte, by how often each value occurs. */
export function entropyBits(bytes: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte]!++;
  let bits = 0;
  for (const count of counts) {
    if (count > 0) bits -= (count / bytes.length) * Math.log2(count / bytes.length);
  }
  return bits;
}
