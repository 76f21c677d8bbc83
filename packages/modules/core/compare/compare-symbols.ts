/** The functions and data objects in which two modules differ. */
import { FormatError } from '../elf/bytes.ts';
import {
  sectionTypes,
  symbolTypes,
  type ElfSymbol,
  type Relocation,
  type Section,
} from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';

const changedSymbolsMax = 100;
/** More symbols than any module has; names beyond it are ignored. */
const symbolsMax = 500_000;
const nameBytesMax = 64 * 2 ** 20;

/** Returns the function or object whose bytes hold that offset. Throws `FormatError`. */
export function symbolAt(elf: Elf, section: Section, offset: number): string | undefined {
  const table = elf.symbolTable;
  if (table === undefined) return undefined;
  const count = Math.min(elf.symbolCount(table), symbolsMax);
  const budget = new NameBudget(table.offset);
  let padding: ElfSymbol | undefined;
  for (let index = 1; index < count; index++) {
    if (elf.symbolSection(table, index) !== section.index) continue;
    const symbol = elf.symbol(table, index);
    budget.spend(symbol.name);
    if (!isNamed(symbol) || offset < symbol.value || offset >= symbol.value + symbol.size) continue;
    // The padding before a function is a symbol too, but tells a reader nothing.
    if (!symbol.name.startsWith('__pfx_')) return symbol.name;
    padding = symbol;
  }
  return padding?.name;
}

const isNamed = ({ type, name }: ElfSymbol): boolean =>
  (type === symbolTypes.function || type === symbolTypes.object) && name !== '';

/**
 * Returns functions and objects that only one module has, whose bytes differ, or that refer to
 * other symbols. Addends of references are ignored: they change for everything behind a function
 * that grew.
 */
export function changedSymbols(a: Elf, b: Elf): readonly string[] {
  const [ofA, ofB] = [contentsBySymbol(a), contentsBySymbol(b)];
  const changed: string[] = [];
  for (const [key, content] of ofA) {
    const other = ofB.get(key);
    if (other === undefined || !sameContent(content, other)) changed.push(content.name);
  }
  for (const [key, content] of ofB) if (!ofA.has(key)) changed.push(content.name);
  return [...new Set(changed)].slice(0, changedSymbolsMax);
}

interface Content {
  readonly name: string;
  /** The size in bytes: all there is to compare if the symbol has no bytes in the file. */
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly references: readonly string[];
}

function sameContent(a: Content, b: Content): boolean {
  return (
    a.size === b.size &&
    a.bytes.every((byte, at) => byte === b.bytes[at]) &&
    a.references.length === b.references.length &&
    a.references.every((each, at) => each === b.references[at])
  );
}

/** Returns contents by section, name and, for names that several objects have, their order. */
function contentsBySymbol(elf: Elf): ReadonlyMap<string, Content> {
  const contents = new Map<string, Content>();
  const seen = new Map<string, number>();
  const relocations = Map.groupBy(elf.sections.filter(isRelocation), ({ info }) => info);
  for (const [section, symbols] of symbolsBySection(elf)) {
    const references = new References(elf, relocations.get(section.index) ?? []);
    const data = elf.data(section);
    let end = 0;
    for (const symbol of symbols) {
      // Aliases have the bytes of the first; no build makes more overlap than that.
      if (symbol.value < end || symbol.value + symbol.size > section.size) continue;
      end = symbol.value + symbol.size;
      const name = `${section.name}\0${symbol.name}`;
      const nth = seen.get(name) ?? 0;
      seen.set(name, nth + 1);
      contents.set(`${name}\0${nth}`, {
        name: symbol.name,
        size: symbol.size,
        bytes: data.subarray(symbol.value, end),
        references: references.within(symbol.value, end),
      });
    }
  }
  return contents;
}

function symbolsBySection(elf: Elf): ReadonlyMap<Section, readonly ElfSymbol[]> {
  const table = elf.symbolTable;
  if (table === undefined) return new Map();
  const named: ElfSymbol[] = [];
  const budget = new NameBudget(table.offset);
  const count = Math.min(elf.symbolCount(table), symbolsMax);
  for (let index = 1; index < count; index++) {
    const section = elf.sections[elf.symbolSection(table, index)];
    if (section?.type !== sectionTypes.progbits || section.name === '.modinfo') continue;
    const symbol = elf.symbol(table, index);
    budget.spend(symbol.name);
    if (isNamed(symbol) && symbol.size > 0 && !symbol.name.startsWith('__pfx_')) named.push(symbol);
  }
  named.sort((left, right) => left.value - right.value || right.size - left.size);
  return Map.groupBy(named, ({ section }) => elf.sections[section]!);
}

/** Many symbols whose long names share their tails would otherwise take quadratic time. */
export class NameBudget {
  readonly #offset: number;
  #left = nameBytesMax;

  constructor(offset: number) {
    this.#offset = offset;
  }

  spend(name: string): void {
    this.#left -= name.length;
    if (this.#left < 0)
      throw new FormatError('has names of symbols beyond any measure', this.#offset);
  }
}

/**
 * The references of a section, in the order of its bytes; queried only for ranges that go forward.
 */
class References {
  readonly #elf: Elf;
  readonly #sorted: readonly Relocation[];
  readonly #budget: NameBudget;
  #next = 0;

  constructor(elf: Elf, sections: readonly Section[]) {
    this.#elf = elf;
    this.#budget = new NameBudget(elf.symbolTable?.offset ?? 0);
    this.#sorted = sections
      .flatMap((each) => [...elf.relocations(each)])
      .sort((left, right) => left.offset - right.offset);
  }

  within(start: number, end: number): readonly string[] {
    const found: string[] = [];
    for (; this.#next < this.#sorted.length; this.#next++) {
      const relocation = this.#sorted[this.#next]!;
      if (relocation.offset >= end) break;
      if (relocation.offset >= start) found.push(this.#describe(relocation, start));
    }
    return found;
  }

  #describe({ offset, type, symbol }: Relocation, start: number): string {
    const table = this.#elf.symbolTable;
    if (table === undefined || symbol === 0) return `${offset - start}:${type}`;
    const { name, section } = this.#elf.symbol(table, symbol);
    this.#budget.spend(name);
    const target = name === '' ? (this.#elf.sections[section]?.name ?? '') : name;
    return `${offset - start}:${type}:${target}`;
  }
}

export const isRelocation = ({ type }: Section): boolean =>
  type === sectionTypes.rela || type === sectionTypes.rel;
