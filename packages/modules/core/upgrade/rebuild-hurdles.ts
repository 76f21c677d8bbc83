/**
 * Hurdles for a rebuild of a module for another kernel, as far as its imports show.
 *
 * A module names what it uses. Only a build for the other kernel shows what it would use instead: a
 * header may replace a name that is gone. So this is a list to check, not a verdict.
 */
import type { Kernel } from '../kernel/kernel.ts';
import {
  importsOf,
  modinfo,
  modinfoAll,
  type KernelModule,
  type SymbolExport,
} from '../record/module.ts';
import { isCompatibleLicense } from '../loader/licenses.ts';
import { namespaceNames } from '../loader/namespaces.ts';
import { rulesOf } from '../loader/rules.ts';

export interface RebuildHurdles {
  /** Symbols that nothing exports any more. */
  readonly removed: readonly string[];
  /** Symbols for modules under a GPL-compatible license only, which this module is not. */
  readonly gplOnly: readonly string[];
  /** Symbols in a namespace that the module does not import. */
  readonly namespaces: readonly {
    /** The symbol. */
    readonly symbol: string;
    /** The namespace that its module must import. */
    readonly namespace: string;
  }[];
  /** Symbols that the kernel itself does not export; its modules' exports are unknown. */
  readonly unknown: readonly string[];
}

/** The exports of a kernel and of its modules. */
export interface Offered {
  readonly kernel: Kernel;
  /** Exports of modules, by name. */
  readonly byModules: ReadonlyMap<string, SymbolExport>;
  /** Whether those are all exports of that kernel's modules. */
  readonly modulesKnown: boolean;
}

export function rebuildHurdles(module: KernelModule, offered: Offered): RebuildHurdles {
  const missing: string[] = [];
  const gplOnly: string[] = [];
  const namespaces: { symbol: string; namespace: string }[] = [];
  const mayUseGpl = isCompatibleLicense(modinfo(module, 'license') ?? '');
  for (const { name, weak } of importsOf(module)) {
    const found = offered.kernel.exports.get(name) ?? offered.byModules.get(name);
    if (found === undefined) {
      if (!weak && !isLeftover(name)) missing.push(name);
      continue;
    }
    if (found.gplOnly && !mayUseGpl) gplOnly.push(name);
    const namespace = closedNamespace(module, found, offered.kernel);
    if (namespace !== undefined) namespaces.push({ symbol: name, namespace });
  }
  const [removed, unknown] = offered.modulesKnown ? [missing, []] : [[], missing];
  return { removed, gplOnly, namespaces, unknown };
}

/** Whether assemblers leave the symbol behind and the loader ignores it. */
const isLeftover = (name: string): boolean => name === '_GLOBAL_OFFSET_TABLE_';

function closedNamespace(
  module: KernelModule,
  { namespace }: SymbolExport,
  { release, config }: Kernel,
): string | undefined {
  const rules = rulesOf(release);
  if (namespace === undefined || namespace === '' || !rules.namespaces) return undefined;
  if (config.allowMissingNamespaces) return undefined;
  if (modinfoAll(module, 'import_ns').includes(namespace)) return undefined;
  const isNamed = rules.moduleNamespaces && namespaceNames(namespace, module.structName ?? '');
  return isNamed ? undefined : namespace;
}

export const hasHurdles = ({ removed, gplOnly, namespaces }: RebuildHurdles): boolean =>
  removed.length + gplOnly.length + namespaces.length > 0;
