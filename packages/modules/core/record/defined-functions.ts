/** The names that a module's functions have in its source, and how much of its code they cover. */
import { FormatError } from '../elf/bytes.ts';
import { NameBudget } from '../compare/compare-symbols.ts';
import { machines, symbolTypes } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import { codeSection } from '../elf/references.ts';

const symbolsMax = 200_000;

/** Functions that modpost and the macros of `module_init()` write, whatever the source. */
const ofEveryBuild = new Set(['init_module', 'cleanup_module']);

export interface DefinedFunctions {
  /** Function names, without the padding before them and the parts that a compiler split off. */
  readonly names: readonly string[];
  /** Bytes of code outside every named function: `strip` and `objcopy` remove local names. */
  readonly unnamedBytes: number;
}

/** Returns the module's functions; none where the symbols make no sense. */
export function definedFunctions(elf: Elf): DefinedFunctions {
  try {
    return functionsIn(elf);
  } catch (error) {
    if (error instanceof FormatError) return { names: [], unnamedBytes: elf.view.length };
    throw error;
  }
}

function functionsIn(elf: Elf): DefinedFunctions {
  const names = new Set<string>();
  const named = new NamedCode(elf);
  const table = elf.symbolTable;
  if (table === undefined) return { names: [], unnamedBytes: named.gapBytes() };
  const budget = new NameBudget(table.offset);
  const count = Math.min(elf.symbolCount(table), symbolsMax);
  for (let index = 1; index < count; index++) {
    if (elf.symbolSection(table, index) === 0) continue;
    const { type, name, section, value, size } = elf.symbol(table, index);
    budget.spend(name);
    if (type !== symbolTypes.function) continue;
    named.add(section, value, size);
    const inSource = name.replace(/^__(?:(?:pfx|cfi)_|SC[TK]__)/, '').replace(/\..*$/s, '');
    if (/^[A-Za-z_]\w*$/.test(inSource) && !ofEveryBuild.has(inSource)) names.add(inSource);
  }
  return { names: [...names], unnamedBytes: named.gapBytes() };
}

/**
 * The smallest gap that counts as unnamed code: wider than the alignment of functions, and narrower
 * than most functions.
 */
const gapBytesMin = 64;
/**
 * The same for other processors than x86-64, which have alternatives, constants and trampolines
 * behind functions.
 */
const gapBytesMinElsewhere = 1024;
/** Code that belongs to the functions of other sections. */
const attached = /^\.altinstr/;

/** The parts of each code section that belong to a function with a name. */
class NamedCode {
  readonly #elf: Elf;
  readonly #parts = new Map<number, [start: number, end: number][]>();

  constructor(elf: Elf) {
    this.#elf = elf;
    for (const { index, name } of elf.sections) {
      if (codeSection(elf, index) !== undefined && !attached.test(name)) this.#parts.set(index, []);
    }
  }

  add(section: number, value: number, size: number): void {
    this.#parts.get(section)?.push([value, value + size]);
  }

  gapBytes(): number {
    const least = this.#elf.machine === machines.x8664 ? gapBytesMin : gapBytesMinElsewhere;
    let bytes = 0;
    for (const [index, parts] of this.#parts) {
      const size = this.#elf.sections[index]?.size ?? 0;
      let covered = 0;
      for (const [start, end] of [...parts.sort(([a], [b]) => a - b), [size, size] as const]) {
        if (start - covered >= least) bytes += start - covered;
        covered = Math.max(covered, end);
      }
    }
    return bytes;
  }
}
