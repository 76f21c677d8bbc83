/**
 * Symbol resolution: each undefined symbol in the order of the symbol table, errors collected, last
 * one wins.
 *
 * A module that is proprietary at that moment does not see GPL-only exports. It may become so on
 * the way, by a symbol of a proprietary module. So the order of the table decides which message
 * appears. Source: kernel/module/main.c, `simplify_symbols`, `resolve_symbol`, `inherit_taint`.
 */
import { machines } from '../elf/elf-format.ts';
import { modinfoAll, type ImportedSymbol, type SymbolToResolve } from '../record/module.ts';
import type { RefusalCause } from './verdict.ts';
import { checkVersion, crcInWords, type VersionCheck } from './crc.ts';
import type { FoundExport } from './export-index.ts';
import { exportsKnown, moduleHasTaint, taintModule, type ModuleLoading } from './loading.ts';
import { listSome } from '../../../base/list.ts';
import type { LoaderErrno } from './errno.ts';
import { isModuleNamespace, namespaceNames } from './namespaces.ts';
import { loaderErrnos } from './errno.ts';

/** The reason why a symbol cannot be used; `hidden` is exported, but not to this module. */
type Problem =
  | 'gone'
  | 'hidden'
  | 'proprietary'
  | 'no versions'
  | 'no entry'
  | 'differs'
  | 'namespace'
  | 'common'
  | 'bad section';

interface ProblemRow {
  readonly errno: LoaderErrno;
  readonly refuses: RefusalCause;
  readonly reason: (symbols: string) => string;
}

const problemRows: Readonly<Record<Problem, ProblemRow>> = {
  gone: {
    errno: 'ENOENT',
    refuses: 'symbol gone',
    reason: (symbols) => `Nothing exports the symbols it needs: ${symbols}`,
  },
  hidden: {
    errno: 'ENOENT',
    refuses: 'GPL-only',
    reason: (symbols) =>
      `It is proprietary (P), and these are exported to GPL-compatible modules only: ${symbols}`,
  },
  proprietary: {
    errno: 'ENOENT',
    refuses: 'proprietary',
    reason: (symbols) =>
      `It uses GPL-only symbols, so it may not use those of a proprietary module: ${symbols}`,
  },
  'no versions': {
    errno: 'EINVAL',
    refuses: 'CRC',
    reason: (symbols) =>
      `It has no usable symbol versions (CRC), and this kernel does not load by force: ${symbols}`,
  },
  'no entry': {
    errno: 'EINVAL',
    refuses: 'CRC',
    reason: (symbols) => `It has no version (CRC) for symbols it needs: ${symbols}`,
  },
  differs: {
    errno: 'EINVAL',
    refuses: 'CRC',
    reason: (symbols) => `It was built for another version (CRC) of symbols it needs: ${symbols}`,
  },
  namespace: {
    errno: 'EINVAL',
    refuses: 'namespace',
    reason: (symbols) => `It uses symbols of a namespace that is not open to it: ${symbols}`,
  },
  common: {
    errno: 'ENOEXEC',
    refuses: 'format',
    reason: (symbols) => `It has common symbols (built without -fno-common): ${symbols}`,
  },
  'bad section': {
    errno: 'ENOEXEC',
    refuses: 'format',
    reason: (symbols) => `It has symbols in sections that do not exist: ${symbols}`,
  },
};

interface Walk {
  readonly loading: ModuleLoading;
  readonly namespaces: readonly string[];
  usesGplOnly: boolean;
  errno: LoaderErrno | undefined;
  readonly problems: Map<Problem, string[]>;
  /** Sentences of the load context on symbols that are gone. */
  readonly absences: Set<string>;
  readonly leftEmpty: string[];
  readonly namespaceWarnings: string[];
  notLookedUp: number;
  notCompared: number;
}

/** Resolves all symbols; returns the errno of the last one that failed. */
export function resolveSymbols(loading: ModuleLoading): LoaderErrno | undefined {
  const walk: Walk = {
    loading,
    namespaces: modinfoAll(loading.module, 'import_ns'),
    usesGplOnly: false,
    errno: undefined,
    problems: new Map(),
    absences: new Set(),
    leftEmpty: [],
    namespaceWarnings: [],
    notLookedUp: 0,
    notCompared: 0,
  };
  for (const symbol of loading.module.symbols) {
    if (symbol.kind === 'import') resolveImport(walk, symbol);
    else refuseDefinition(walk, symbol);
  }
  report(walk);
  return walk.errno;
}

function refuseDefinition(
  walk: Walk,
  symbol: Exclude<SymbolToResolve, { readonly kind: 'import' }>,
): void {
  const { structName, messages } = walk.loading;
  if (symbol.kind === 'common') {
    if (symbol.name.startsWith('__gnu_lto')) return;
    messages.push(`${structName}: please compile with -fno-common`);
  } else if (symbol.section !== undefined && symbol.sectionMax !== undefined) {
    messages.push(
      `${structName}: Symbol ${symbol.name} has an invalid section index ${symbol.section} (max ${symbol.sectionMax})`,
    );
  }
  note(walk, symbol.kind, `"${symbol.name}"`);
}

function note(walk: Walk, problem: Problem, symbol: string): void {
  const noted = walk.problems.get(problem);
  if (noted === undefined) walk.problems.set(problem, [symbol]);
  else noted.push(symbol);
  walk.errno = problemRows[problem].errno;
}

function resolveImport(walk: Walk, symbol: ImportedSymbol): void {
  const { loading } = walk;
  const found = find(loading, symbol.name);
  if (found === 'unknown') {
    walk.notLookedUp++;
    return;
  }
  if (typeof found === 'string') return notFound(walk, symbol, found);
  if (found.symbol.gplOnly) walk.usesGplOnly = true;
  if (!inherits(walk, found, symbol.name)) return notFound(walk, symbol, 'proprietary', found);
  const version = checkVersion(loading, found.symbol, {
    own: symbol.crc,
    extended: symbol.extendedCrc,
  });
  if (version !== 'agrees') return refuseVersion(walk, symbol, found, version);
  if (!mayUseNamespace(walk, found)) {
    return unresolved(
      walk,
      symbol.name,
      'namespace',
      `"${symbol.name}" of "${found.symbol.namespace ?? ''}"`,
    );
  }
  if (
    found.symbol.crc === undefined &&
    found.owner === undefined &&
    loading.kernel.config.modversions
  )
    walk.notCompared++;
}

/**
 * Searches the kernel's tables, then the modules'; GPL-only tables only for a module that is not
 * proprietary.
 */
function find(loading: ModuleLoading, name: string): FoundExport | 'hidden' | 'gone' | 'unknown' {
  const seesAll = !moduleHasTaint(loading, 'P');
  const own = loading.kernel.exports.get(name);
  if (own !== undefined && (seesAll || !own.gplOnly)) return { symbol: own, owner: undefined };
  const other = loading.context.findExport(name);
  if (other !== undefined && (seesAll || !other.symbol.gplOnly)) return other;
  if (own !== undefined || other !== undefined) return 'hidden';
  return exportsKnown(loading.kernel) ? 'gone' : 'unknown';
}

/** Whether the module may use the symbol; makes it proprietary if the owner is. */
function inherits(walk: Walk, { owner }: FoundExport, name: string): boolean {
  const { loading } = walk;
  if (owner === undefined || owner.taint % 2 === 0 || !loading.rules.inheritsProprietary)
    return true;
  const { structName, messages, reasons, rules } = loading;
  const symbols = rules.namesInheritedSymbol ? `symbols ${name}` : 'symbols';
  if (walk.usesGplOnly) {
    messages.push(
      `${structName}: module using GPL-only symbols uses ${symbols} from proprietary module ${owner.name}.`,
    );
    return false;
  }
  if (moduleHasTaint(loading, 'P')) return true;
  messages.push(
    `${structName}: module uses ${symbols} from proprietary module ${owner.name}, inheriting taint.`,
  );
  taintModule(loading, 'P');
  reasons.push({
    taint: 'P',
    reason: `It uses "${name}" of the proprietary module "${owner.name}", so it is proprietary (P) itself and GPL-only symbols are hidden from it`,
  });
  return true;
}

/**
 * Handles a missing symbol. Weak references stay empty; so does one symbol that assemblers for x86
 * leave behind.
 */
function notFound(
  walk: Walk,
  symbol: ImportedSymbol,
  problem: 'gone' | 'hidden' | 'proprietary',
  found?: FoundExport,
): void {
  const { machine } = walk.loading.module;
  const isLeftover =
    symbol.name === '_GLOBAL_OFFSET_TABLE_' &&
    (machine === machines.x8664 || machine === machines.i386);
  if (symbol.weak || isLeftover) {
    if (problem !== 'gone') walk.leftEmpty.push(`"${symbol.name}"`);
    return;
  }
  if (problem === 'gone') {
    const why = walk.loading.context.whyAbsent?.(symbol.name);
    if (why !== undefined && walk.absences.size < 5) walk.absences.add(why);
  }
  const owner = found?.owner === undefined ? '' : ` of "${found.owner.name}"`;
  unresolved(walk, symbol.name, problem, `"${symbol.name}"${owner}`);
}

function unresolved(walk: Walk, name: string, problem: Problem, words: string): void {
  note(walk, problem, words);
  const { errno } = problemRows[problem];
  walk.loading.messages.push(
    `${walk.loading.structName}: Unknown symbol ${name} (err -${loaderErrnos[errno]})`,
  );
}

function refuseVersion(
  walk: Walk,
  symbol: ImportedSymbol,
  found: FoundExport,
  version: Exclude<VersionCheck, 'agrees'>,
): void {
  const own = walk.loading.extendedVersions === undefined ? symbol.crc : symbol.extendedCrc;
  const crcs = `${crcInWords(found.symbol.crc)} here, ${crcInWords(own)} in the module`;
  const words = version === 'differs' ? `"${symbol.name}" (${crcs})` : `"${symbol.name}"`;
  unresolved(walk, symbol.name, version, words);
}

/** Whether the module may use the symbol's namespace: `verify_namespace_is_imported`. */
function mayUseNamespace(walk: Walk, { symbol }: FoundExport): boolean {
  const { namespace } = symbol;
  const { structName, rules, kernel, messages } = walk.loading;
  if (namespace === undefined || namespace === '' || !rules.namespaces) return true;
  if (rules.moduleNamespaces && namespaceNames(namespace, structName)) return true;
  if (walk.namespaces.includes(namespace)) return true;
  messages.push(
    `${structName}: module uses symbol (${symbol.name}) from namespace ${namespace}, but does not import it.`,
  );
  if (!kernel.config.allowMissingNamespaces) return false;
  walk.namespaceWarnings.push(`"${symbol.name}" of "${namespace}"`);
  return true;
}

function report(walk: Walk): void {
  const { reasons, unknown, kernel } = walk.loading;
  for (const [problem, symbols] of walk.problems) {
    const { reason, refuses } = problemRows[problem];
    reasons.push({ taint: undefined, reason: reason(listSome(symbols)), refuses });
  }
  for (const reason of walk.absences)
    reasons.push({ taint: undefined, reason, refuses: 'symbol gone' });
  warn(
    walk,
    walk.leftEmpty,
    (list) => `Weak references that it may not use stay unresolved: ${list}`,
  );
  warn(
    walk,
    walk.namespaceWarnings,
    (list) => `It uses namespaces that it does not import: ${list}`,
  );
  if (walk.notLookedUp > 0)
    unknown.push(
      `The exports of kernel "${kernel.release}" are unknown, so ${walk.notLookedUp} symbols that it needs were not looked up`,
    );
  if (walk.notCompared > 0)
    unknown.push(
      `${kernel.exportsFrom} has no versions (CRC) for ${walk.notCompared} symbols that it needs, so they were not compared`,
    );
}

function warn(walk: Walk, symbols: readonly string[], reason: (list: string) => string): void {
  if (symbols.length > 0)
    walk.loading.reasons.push({ taint: undefined, reason: reason(listSome(symbols)) });
}

/**
 * Returns a namespace that cannot be imported: since 6.16, one for named modules. Source:
 * kernel/module/main.c, `setup_modinfo`.
 */
export const forbiddenImport = (namespaces: readonly string[]): string | undefined =>
  namespaces.find(isModuleNamespace);
