/**
 * `bulkhead modules upgrade`: which of today's modules another kernel would no longer load, why, and what
 * building them again would run into.
 */
import { compare, type VerdictComparison, type Stopped } from '../core/upgrade/compare-verdicts.ts';
import {
  hasHurdles,
  rebuildHurdles,
  type Offered,
  type RebuildHurdles,
} from '../core/upgrade/rebuild-hurdles.ts';
import { plainName, type SymbolExport } from '../core/record/module.ts';
import { judgeTree } from '../core/loader/dependency-order.ts';
import { bareName } from '../core/record/module-file.ts';
import type { ReadEntry } from '../io/scan/survey.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../cli/shared/command.ts';
import { printError, count, print, printJson } from '../../cli/shared/output.ts';
import { terminalOf, wrap } from '../../cli/shared/terminal.ts';
import type { Command } from 'commander';
import {
  openOrReport,
  readInputs,
  readTree,
  withKernelOptions,
  type KernelOptions,
  type Opened,
} from './setup.ts';
import { listSome } from '../../base/list.ts';
import { printable } from '../../base/printable.ts';

interface UpgradeOptions extends KernelOptions {
  readonly to: readonly string[];
  readonly json?: boolean;
}

interface Side extends Opened {
  readonly tree: readonly ReadEntry[];
}

async function upgrade(paths: readonly string[], options: UpgradeOptions): Promise<ExitCode> {
  const before = await sideOf(options);
  const after = before && (await sideOf({ ...options, kernel: options.to }));
  if (before === undefined || after === undefined) return exitCodes.failed;
  // Without exports nothing would seem to be missing there; why they are not known has been said.
  if ([before, after].some(({ reading }) => reading.kernel.exports.size === 0))
    return exitCodes.failed;
  if (paths.length === 0 && before.tree.length === 0) {
    printError(
      'There are no modules of this kernel to ask about; name files, or their kernel by --kernel',
    );
    return exitCodes.failed;
  }
  const asked = paths.length > 0 ? paths : filesWithoutSuccessor(before, after);
  const { entries, problems } =
    asked.length === 0 ? nothing : await readInputs(asked, after.keys, options);
  for (const each of problems) printError(`${each.file}: ${each.message}`);
  const moved = new Set(entries.map((each) => each.file));
  const found = compare(
    verdictsOf(entries, before, moved),
    // What comes with the new kernel takes the place of what had its name.
    verdictsOf(entries, after, moved),
  );
  const { release } = after.reading.kernel;
  const rebuilt = withHurdles(found, entries, after);
  if (asked.length === 0 && options.json !== true)
    print(`Linux ${release} brings every module of this kernel itself`);
  else show(rebuilt, entries.length, release, options.json === true);
  if (found.stops.length > 0) return exitCodes.found;
  return problems.length > 0 ? exitCodes.failed : exitCodes.done;
}

const nothing = { entries: [], problems: [] } as const;

async function sideOf(options: KernelOptions): Promise<Side | undefined> {
  const opened = openOrReport(options);
  return opened && { ...opened, tree: await readTree(opened, options) };
}

/** Those that the other kernel does not bring itself: from DKMS, from vendors. */
function filesWithoutSuccessor(before: Side, after: Side): readonly string[] {
  const plain = (entry: ReadEntry) => plainName(bareName(entry.file));
  const brought = new Set(after.tree.map(plain));
  return before.tree.flatMap((each) => (brought.has(plain(each)) ? [] : [each.file]));
}

function verdictsOf(
  entries: readonly ReadEntry[],
  { reading, tree }: Side,
  moved: ReadonlySet<string>,
) {
  const context = tree.filter((each) => !moved.has(each.file));
  const verdicts = judgeTree([...entries, ...context], reading.kernel);
  return new Map([...verdicts].filter(([file]) => moved.has(file)));
}

interface StoppedModule extends Stopped {
  readonly rebuild: RebuildHurdles;
}

interface Rebuilt extends VerdictComparison {
  readonly stops: readonly StoppedModule[];
}

function withHurdles(
  found: VerdictComparison,
  entries: readonly ReadEntry[],
  { reading, tree }: Side,
): Rebuilt {
  const byModules = new Map<string, SymbolExport>();
  // Those that are asked about would be built again as well, and are there for each other.
  for (const each of [...entries, ...tree]) {
    for (const symbol of each.module.exports) byModules.set(symbol.name, symbol);
  }
  for (const symbol of reading.moduleExports) byModules.set(symbol.name, symbol);
  const modulesKnown = tree.length > 0 || reading.moduleExports.length > 0;
  const offered: Offered = { kernel: reading.kernel, byModules, modulesKnown };
  const moduleOf = new Map(entries.map(({ file, module }) => [file, module]));
  const stops = found.stops.flatMap((each) => {
    const module = moduleOf.get(each.file);
    return module === undefined ? [] : [{ ...each, rebuild: rebuildHurdles(module, offered) }];
  });
  return { ...found, stops };
}

const namesMax = 12;

const listed = (names: readonly string[]): string =>
  listSome(names, namesMax) + (names.length > namesMax ? ' (--json has all)' : '');

/** What to look at in the source before it is built for that kernel. */
function rebuildLines({ gone, gplOnly, namespaces, unknown }: RebuildHurdles): readonly string[] {
  const lines: string[] = [];
  if (gone.length > 0)
    lines.push(
      `exported no more: ${listed(gone)}; where its source names them it must be changed, what a header named the new headers replace`,
    );
  if (gplOnly.length > 0)
    lines.push(`GPL-only by then, which its license does not allow: ${listed(gplOnly)}`);
  if (namespaces.length > 0) {
    const names = namespaces.map(({ symbol, namespace }) => `${symbol} (${namespace})`);
    lines.push(`in a namespace that it must import (MODULE_IMPORT_NS): ${listed(names)}`);
  }
  if (unknown.length > 0)
    lines.push(
      `not known, since that kernel's modules were not given: whether one of them exports ${listed(unknown)}`,
    );
  return lines.length > 0 ? lines : ['all symbols that it imports are there for it'];
}

function show(found: Rebuilt, modules: number, release: string, json: boolean): void {
  if (json) {
    printJson({ version: 1, kernel: release, modules, ...found });
    return;
  }
  const { columns } = terminalOf(process.stdout);
  const blocks = found.stops.map(({ file, errno, why, rebuild }) => {
    const lines = [
      ...why.map(({ message }) => message),
      ...rebuildLines(rebuild).map((each) => `Built again: ${each}`),
    ].map((each) => wrap(`  ${printable(each)}`, columns, '    '));
    return [`${printable(file)}: would be refused with ${errno}`, ...lines].join('\n');
  });
  const starts = found.starts.map((file) => `${printable(file)}: refused today, would load`);
  const summary = `Of ${count(modules, 'module')}, ${found.stops.length} would no longer load on Linux ${release}`;
  const hindered = found.stops.filter(({ rebuild }) => hasHurdles(rebuild)).length;
  const further =
    found.stops.length === 0
      ? ''
      : `; ${hindered === 0 ? 'none' : hindered} of them use symbols that are gone or closed there, also when built again`;
  print([...blocks, ...starts, wrap(summary + further, columns, '  ')].join('\n\n'));
}

function define(command: Command, run: Runner): void {
  describeArgument(
    command,
    'modules; default: those of the tree that the new kernel does not bring',
  );
  command
    .requiredOption(
      '--to <directory...>',
      'the other kernel: /lib/modules/VERSION, unpacked packages',
    )
    .option('--json', 'print it as JSON');
  withKernelOptions(command)
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules upgrade --to /lib/modules/6.12.118+deb13-amd64', 'before the reboot'],
        ['bulkhead modules upgrade driver.ko --to ./linux-image-new', 'a single module'],
      ),
    )
    .action(run(upgrade));
}

export const command: CommandModule = { define };
