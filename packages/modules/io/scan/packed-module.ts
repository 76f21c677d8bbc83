/**
 * Modules as text for the cache: JSON, in which each symbol occurs only once, since thousands of
 * modules import the same few thousand. It is a quarter as long as the same written out, and
 * modules read from it share their symbols.
 *
 *   {"kind":"import","name":"memcpy","weak":false,"crc":1772937016}         in the list of symbols
 *   {"module":{…,"symbols":[0,17,4],"modinfo":["license","GPL"]},…}         a module
 */
import type { KernelModule, ModinfoEntry, SymbolToResolve } from '../../core/record/module.ts';
import type { ParsedModule } from './scan-protocol.ts';

interface Packed extends Omit<ParsedModule, 'module'> {
  readonly module: Omit<KernelModule, 'symbols' | 'modinfo'> & {
    /** Indexes in the list of symbols. */
    readonly symbols: readonly number[];
    /** Tag and value in turn. */
    readonly modinfo: readonly string[];
  };
}

/** The symbols of all modules that are packed together, each once. */
export class SharedSymbols {
  readonly list: SymbolToResolve[] = [];
  readonly #indexes = new Map<string, number>();

  indexOf(symbol: SymbolToResolve): number {
    const key = keyOf(symbol);
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    this.#indexes.set(key, this.list.length);
    return this.list.push(symbol) - 1;
  }
}

const keyOf = (symbol: SymbolToResolve): string =>
  symbol.kind === 'import'
    ? `${symbol.weak ? 'weak' : 'import'} ${symbol.crc} ${symbol.extendedCrc} ${symbol.name}`
    : JSON.stringify(symbol);

export function packModule(read: ParsedModule, shared: SharedSymbols): string {
  const { symbols, modinfo } = read.module;
  const packed: Packed = {
    ...read,
    module: {
      ...read.module,
      symbols: symbols.map((each) => shared.indexOf(each)),
      modinfo: modinfo.flatMap(({ tag, value }) => [tag, value]),
    },
  };
  return JSON.stringify(packed);
}

/** Unpacks a module; throws for text that was not packed with these symbols. */
export function unpackModule(text: string, symbols: readonly SymbolToResolve[]): ParsedModule {
  const { module, ...rest } = JSON.parse(text) as Packed;
  return {
    ...rest,
    module: {
      ...module,
      symbols: module.symbols.map((index) => symbolAt(symbols, index)),
      modinfo: entriesOf(module.modinfo),
    },
  };
}

function symbolAt(symbols: readonly SymbolToResolve[], index: number): SymbolToResolve {
  const symbol = symbols[index];
  if (symbol === undefined) throw new Error(`symbol ${index} is not in the list`);
  return symbol;
}

function entriesOf(modinfo: readonly string[]): readonly ModinfoEntry[] {
  const entries: ModinfoEntry[] = [];
  for (let at = 0; at + 1 < modinfo.length; at += 2) {
    entries.push({ tag: modinfo[at] ?? '', value: modinfo[at + 1] ?? '' });
  }
  return entries;
}
