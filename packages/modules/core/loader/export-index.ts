/**
 * An index of the symbols that loaded modules export.
 *
 * The kernel searches its own tables and then each module's; since no name can be exported twice
 * (`verify_exported_symbols`), one index gives the same result. It follows the state lazily: a
 * module is read once however often it is asked for.
 */
import type { LoadedModule, LoaderState } from '../kernel/kernel.ts';
import type { SymbolExport } from '../record/module.ts';

export interface FoundExport {
  readonly symbol: SymbolExport;
  /** The exporting module; undefined for the kernel's own exports. */
  readonly owner: LoadedModule | undefined;
}

interface ExportIndex {
  readonly known: Set<LoadedModule>;
  readonly byName: Map<string, FoundExport>;
}

const indexes = new WeakMap<LoaderState, ExportIndex>();

/** Returns the exports of the loaded modules by name, as they are now. */
export function loadedExports(state: LoaderState): ReadonlyMap<string, FoundExport> {
  let index = indexes.get(state);
  if (index === undefined || isStale(index, state)) {
    index = { known: new Set(), byName: new Map() };
    indexes.set(state, index);
  }
  for (const each of state.loaded.values()) if (!index.known.has(each)) add(index, each);
  return index.byName;
}

function isStale(index: ExportIndex, state: LoaderState): boolean {
  for (const each of index.known) if (state.loaded.get(each.name) !== each) return true;
  return false;
}

function add(index: ExportIndex, owner: LoadedModule): void {
  index.known.add(owner);
  for (const symbol of owner.exports) {
    const found = index.byName.get(symbol.name);
    // Within one module the plain table is searched first.
    if (found === undefined || (found.owner === owner && found.symbol.gplOnly && !symbol.gplOnly))
      index.byName.set(symbol.name, { symbol, owner });
  }
}
