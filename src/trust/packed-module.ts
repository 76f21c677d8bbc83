/**
 * A module as the text that a cache keeps: JSON in which imports and `.modinfo` stand in columns. It is half as long
 * as the same in objects, and is read in two thirds of the time.
 *
 *   {"module":{…,"symbols":{"names":"memcpy kfree","crcs":[1772937016,null],"weak":[1]},"modinfo":["license","GPL"]},…}
 */
import type { KernelModule, ModinfoEntry, SymbolToResolve } from '../modules/module.ts';
import type { ReadModule } from './scan-protocol.ts';

interface Imports {
  readonly names: string;
  /** null for what has none. */
  readonly crcs: readonly (number | null)[];
  /** Indexes of those that are weak. */
  readonly weak: readonly number[];
}

interface Packed extends Omit<ReadModule, 'module'> {
  readonly module: Omit<KernelModule, 'symbols' | 'modinfo'> & {
    /** As they are where columns cannot tell them: with names that have a space, with anything but imports. */
    readonly symbols: Imports | readonly SymbolToResolve[];
    readonly modinfo: readonly string[];
  };
}

export function packModule(read: ReadModule): string {
  const { symbols, modinfo } = read.module;
  const packed: Packed = {
    ...read,
    module: {
      ...read.module,
      symbols: importsIn(symbols) ?? symbols,
      modinfo: modinfo.flatMap(({ tag, value }) => [tag, value]),
    },
  };
  return JSON.stringify(packed);
}

function importsIn(symbols: readonly SymbolToResolve[]): Imports | undefined {
  const names: string[] = [];
  const crcs: (number | null)[] = [];
  const weak: number[] = [];
  for (const each of symbols) {
    if (each.kind !== 'import' || each.name === '' || each.name.includes(' ')) return undefined;
    if (each.weak) weak.push(names.length);
    names.push(each.name);
    crcs.push(each.crc ?? null);
  }
  return { names: names.join(' '), crcs, weak };
}

/** Throws for what is no JSON. */
export function unpackModule(text: string): ReadModule {
  const { module, ...rest } = JSON.parse(text) as Packed;
  const { symbols, modinfo } = module;
  return {
    ...rest,
    module: {
      ...module,
      symbols: 'names' in symbols ? symbolsOf(symbols) : symbols,
      modinfo: entriesOf(modinfo),
    },
  };
}

function symbolsOf({ names, crcs, weak }: Imports): readonly SymbolToResolve[] {
  if (names === '') return [];
  const isWeak = new Set(weak);
  return names.split(' ').map((name, index) => ({
    kind: 'import',
    name,
    weak: isWeak.has(index),
    crc: crcs[index] ?? undefined,
  }));
}

function entriesOf(modinfo: readonly string[]): readonly ModinfoEntry[] {
  const entries: ModinfoEntry[] = [];
  for (let at = 0; at + 1 < modinfo.length; at += 2) {
    entries.push({ tag: modinfo[at] ?? '', value: modinfo[at + 1] ?? '' });
  }
  return entries;
}
