/** A module's data as objects, and the places that its code writes into. x86-64 only. */
import { sectionIndexes, sectionTypes, symbolTypes } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import { codeSection, sectionPlaceKey } from '../elf/references.ts';
import type { SymbolTable } from '../elf/symbol-table.ts';
import { storedAddress, type ObjectParts } from './address-uses.ts';
import type { ExportTarget } from './exports.ts';

/** Data objects, by where they begin. */
export class DataObjects {
  readonly #elf: Elf;
  readonly #symbols: SymbolTable;
  #known: Map<number, ExportTarget> | undefined;

  constructor(elf: Elf, symbols: SymbolTable) {
    this.#elf = elf;
    this.#symbols = symbols;
  }

  at(section: number, value: number): ExportTarget | undefined {
    const data = section < sectionIndexes.reserved ? this.#elf.sections[section] : undefined;
    if (section === sectionIndexes.undefined || data === undefined) return undefined;
    if (codeSection(this.#elf, section) !== undefined) return undefined;
    this.#known ??= this.#collect();
    return this.#known.get(sectionPlaceKey(section, value));
  }

  #collect(): Map<number, ExportTarget> {
    const found = new Map<number, ExportTarget>();
    const symbols = this.#symbols;
    for (let index = 1; index < symbols.count; index++) {
      if (symbols.type(index) !== symbolTypes.object) continue;
      const [section, value] = [symbols.section(index), symbols.value(index)];
      found.set(sectionPlaceKey(section, value), { section, value, size: symbols.size(index) });
    }
    return found;
  }
}

/** A place in the module's data that its code fills with the address of an import. */
export interface FilledPlace {
  readonly section: number;
  readonly value: number;
  readonly imported: string;
}

const filledMax = 4096;
/** R_X86_64_PC32: relative to the end of the instruction, which has four more bytes. */
const relativeType = 2;
const beyond = 8;

/** Returns the places that `movq $import, data(%rip)` fills, anywhere in the code. */
export function filledPlaces({ elf, symbols, references }: ObjectParts): readonly FilledPlace[] {
  const filled: FilledPlace[] = [];
  for (const section of elf.sections) {
    if (section.type !== sectionTypes.progbits || codeSection(elf, section.index) === undefined)
      continue;
    const inside = references.of(section.index);
    const { offsets, symbols: named, types, addends } = inside;
    for (let at = 1; at < offsets.length && filled.length < filledMax; at++) {
      const into = named[at - 1]!;
      if (offsets[at - 1] !== offsets[at]! - 4 || types[at - 1] !== relativeType) continue;
      const stored = storedAddress(elf, symbols, section, inside, at);
      if (stored?.into !== 'own data' || into >= symbols.count) continue;
      filled.push({
        section: symbols.section(into),
        value: symbols.value(into) + addends[at - 1]! + beyond,
        imported: stored.imported,
      });
    }
  }
  return filled;
}
