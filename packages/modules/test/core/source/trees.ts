/** Source trees and modules for tests: files in a map, directories implied. */
import type { KernelModule } from '../../../core/record/module.ts';
import { CachedTree, type SourceTree } from '../../../core/source/source-tree.ts';

export const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from(text, (char) => char.charCodeAt(0));

export function treeOf(files: Readonly<Record<string, string>>): SourceTree {
  const directories = new Map<string, Set<string>>([['', new Set()]]);
  for (const path of Object.keys(files)) {
    const parts = path.split('/');
    parts.forEach((part, index) => {
      const directory = parts.slice(0, index).join('/');
      if (!directories.has(directory)) directories.set(directory, new Set());
      directories.get(directory)!.add(index === parts.length - 1 ? part : `${part}/`);
    });
  }
  return {
    list: (directory) =>
      directories.has(directory) ? [...directories.get(directory)!] : undefined,
    read: (path) => (Object.hasOwn(files, path) ? bytesOf(files[path]!) : undefined),
  };
}

export const cachedTree = (files: Readonly<Record<string, string>>): CachedTree =>
  new CachedTree(treeOf(files));

export function moduleOf(
  file: string,
  modinfo: Readonly<Record<string, string>>,
  compiledObjects: number,
): KernelModule {
  const compiler = 'GCC: (Debian 14.2.0-19) 14.2.0';
  return {
    file,
    bytes: 1000,
    bits: 64,
    bigEndian: false,
    type: 1,
    machine: 62,
    modinfo: Object.entries(modinfo).map(([tag, value]) => ({ tag, value })),
    structName: undefined,
    structBytes: undefined,
    structExtraBytes: 0,
    symbols: [],
    hasVersions: false,
    layoutCrc: undefined,
    exports: [],
    exportsLackCrcs: false,
    defects: [],
    signature: undefined,
    buildId: undefined,
    observations: {
      compilers: Array.from({ length: compiledObjects + 2 }, () => compiler),
      hasEhFrame: false,
      livepatchSymbols: [],
      binarySymbols: [],
      embeddedElf: [],
      cutTexts: [],
      strings: [],
      deep: undefined,
    },
  };
}
