/** References in the code and data of an object file, from its relocations. */
import { FormatError } from './bytes.ts';
import { sectionFlags, sectionIndexes, sectionTypes, type Section } from './elf-format.ts';
import type { Elf } from './elf.ts';

export interface SectionReferences {
  /** Offsets, ascending. */
  readonly offsets: Float64Array;
  readonly symbols: Uint32Array;
  readonly types: Uint32Array;
  readonly addends: Float64Array;
}

/** Several times what the largest drivers have in one section. */
const relocationsMax = 2 ** 22;

/** The relocations of each code section, in the order of the places they change. */
export class References {
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
      addends: Float64Array.from(all, (each) => each.addend),
    };
  }
}

/** Returns the index of the first number that is not below the wanted one. */
export function lowerBound(sorted: Float64Array, wanted: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Returns the section; undefined if it holds no code. */
export function codeSection(elf: Elf, index: number): Section | undefined {
  if (index === 0 || index >= sectionIndexes.reserved) return undefined;
  const section = elf.sections[index];
  if (section?.type !== sectionTypes.progbits) return undefined;
  return (section.flags & sectionFlags.execute) === 0 ? undefined : section;
}

/** Returns a key for a place in a section, exact up to 128 GiB. */
export const sectionPlaceKey = (section: number, value: number): number =>
  value * 2 ** 16 + section;
