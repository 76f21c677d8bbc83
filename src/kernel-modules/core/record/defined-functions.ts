/** The names that a module's functions have in its source. */
import { FormatError } from '../elf/bytes.ts';
import { NameBudget } from '../compare/compare-symbols.ts';
import { symbolTypes } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';

const symbolsMax = 200_000;

/** What modpost and the macros of `module_init()` write, whatever the source. */
const ofEveryBuild = new Set(['init_module', 'cleanup_module']);

/**
 * Without the padding before them and the parts that a compiler split off; none where the symbols
 * make no sense.
 */
export function definedFunctions(elf: Elf): readonly string[] {
  try {
    return [...namesIn(elf)].filter((each) => !ofEveryBuild.has(each));
  } catch (error) {
    if (error instanceof FormatError) return [];
    throw error;
  }
}

function namesIn(elf: Elf): ReadonlySet<string> {
  const names = new Set<string>();
  const table = elf.symbolTable;
  if (table === undefined) return names;
  const budget = new NameBudget(table.offset);
  const count = Math.min(elf.symbolCount(table), symbolsMax);
  for (let index = 1; index < count; index++) {
    if (elf.symbolSection(table, index) === 0) continue;
    const { type, name } = elf.symbol(table, index);
    budget.spend(name);
    const inSource = name.replace(/^__(?:(?:pfx|cfi)_|SC[TK]__)/, '').replace(/\..*$/s, '');
    if (type === symbolTypes.function && /^[A-Za-z_]\w*$/.test(inSource)) names.add(inSource);
  }
  return names;
}
