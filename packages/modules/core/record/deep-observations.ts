/**
 * Facts about the code and data of a module, from its symbols' sizes and its relocations. x86-64
 * only.
 */
import { elfTypes, machines, symbolTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import { denseDataOf } from './dense-data.ts';
import type { ExportTarget } from './exports.ts';
import type { DeepObservations, SymbolExport } from './module.ts';
import { passedOnBy } from './passing-exports.ts';
import { codeSection, lowerBound, sectionPlaceKey, References } from '../elf/references.ts';
import type { SymbolTable } from '../elf/symbol-table.ts';

/** Measures code and data; undefined on other machines. Throws `FormatError`. */
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
    ...countFunctions(elf, symbols, references),
    wrappers: passedOnBy(exports, targets, { elf, symbols, references }),
    denseObjects: denseDataOf(elf, symbols),
  };
}

const ret = 0xc3;
const int3 = 0xcc;
const paddingPrefix = new TextEncoder().encode('__pfx_');
/** The most bytes of speculation traps after the return: one or two traps. */
const trapBytesMax = 4;

function countFunctions(
  elf: Elf,
  symbols: SymbolTable,
  references: References,
): Pick<DeepObservations, 'functions' | 'padded' | 'plainReturns'> {
  const paddings = paddingEnds(elf, symbols);
  let [functions, padded, plainReturns] = [0, 0, 0];
  for (let index = 1; index < symbols.count; index++) {
    const section = functionSection(elf, symbols, index);
    if (section === undefined || symbols.nameBegins(index, paddingPrefix)) continue;
    const [value, size] = [symbols.value(index), symbols.size(index)];
    if (paddings.has(sectionPlaceKey(section.index, value))) padded++;
    else if (isMovedPart(symbols.name(index))) continue;
    functions++;
    if (endsInReturn(elf, section, value, size, references)) plainReturns++;
  }
  return { functions, padded, plainReturns };
}

/**
 * Whether a compiler moved this part out of a function: such a part has neither padding nor a
 * return of its own.
 */
const isMovedPart = (name: string): boolean => /\.cold(?:\.\d+)?$/.test(name);

/** Returns where paddings end, which is where their functions begin. */
function paddingEnds(elf: Elf, symbols: SymbolTable): ReadonlySet<number> {
  const ends = new Set<number>();
  for (let index = 1; index < symbols.count; index++) {
    const section = functionSection(elf, symbols, index);
    if (section === undefined || !symbols.nameBegins(index, paddingPrefix)) continue;
    ends.add(sectionPlaceKey(section.index, symbols.value(index) + symbols.size(index)));
  }
  return ends;
}

/** Returns the section of a symbol that is a function and lies inside it. */
function functionSection(elf: Elf, symbols: SymbolTable, index: number): Section | undefined {
  if (symbols.type(index) !== symbolTypes.function) return undefined;
  const section = codeSection(elf, symbols.section(index));
  const [value, size] = [symbols.value(index), symbols.size(index)];
  if (section === undefined || size === 0 || value + size > section.size) return undefined;
  return section;
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
