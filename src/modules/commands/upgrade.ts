/**
 * `bulkhead modules upgrade`: lists today's modules that another kernel would refuse, the reasons,
 * and what a rebuild would have to change.
 */
import {
  compare,
  type VerdictComparison,
} from '../../../packages/modules/core/upgrade/compare-verdicts.ts';
import {
  hasHurdles,
  rebuildHurdles,
  type Offered,
  type RebuildHurdles,
} from '../../../packages/modules/core/upgrade/rebuild-hurdles.ts';
import { plainName, type SymbolExport } from '../../../packages/modules/core/record/module.ts';
import { judgeTree } from '../../../packages/modules/core/loader/dependency-order.ts';
import { bareName } from '../../../packages/modules/core/record/module-file.ts';
import type { ScannedFile } from '../../../packages/modules/io/scan/read-modules.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../cli/shared/command.ts';
import { printError, count, print, printJson, failWith } from '../../cli/shared/output.ts';
import { terminalOf, wrap } from '../../cli/shared/terminal.ts';
import type { Command } from 'commander';
import {
  collectOption,
  openOrReport,
  readInputs,
  readTree,
  withKernelOptions,
  type KernelOptions,
  type OpenedKernel,
} from './setup.ts';
import { listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { ModulesUpgradeJson, RefusedModule } from './json.ts';

interface UpgradeOptions extends KernelOptions {
  /** Directories of the other kernel. */
  readonly to: readonly string[];
  readonly json?: boolean;
}

interface Side extends OpenedKernel {
  readonly tree: readonly ScannedFile[];
}

async function upgrade(paths: readonly string[], options: UpgradeOptions): Promise<ExitCode> {
  const before = await sideOf(options);
  const after =
    before &&
    (await sideOf({
      ...options,
      kernel: options.to,
      // The other kernel would be booted here, with this host's command line and lockdown.
      asBootedHere: options.kernel === undefined,
    }));
  if (before === undefined || after === undefined) return exitCodes.failed;
  // Without exports nothing would seem to be missing there. Why they are unknown has been printed.
  if ([before, after].some(({ reading }) => reading.kernel.exports.size === 0))
    return exitCodes.failed;
  if (paths.length === 0 && before.tree.length === 0)
    return failWith(
      'This kernel has no modules to compare; name files, or their kernel with --kernel',
    );
  const asked = paths.length > 0 ? paths : filesWithoutSuccessor(before, after);
  const { entries, problems } =
    asked.length === 0 ? nothing : await readInputs(asked, after.keys, options);
  for (const each of problems) printError(`${each.file}: ${each.message}`);
  const moved = new Set(entries.map((each) => each.file));
  const found = compare(
    verdictsOf(entries, before, moved),
    // A module of the new kernel replaces today's module of the same name.
    verdictsOf(entries, after, moved),
  );
  const { release } = after.reading.kernel;
  const rebuilt = withHurdles(found, entries, after);
  if (asked.length === 0 && options.json !== true)
    print(`Linux ${release} itself has every module of this kernel`);
  else show(rebuilt, entries.length, release, options.json === true);
  if (found.noLongerLoad.length > 0) return exitCodes.found;
  return problems.length > 0 ? exitCodes.failed : exitCodes.done;
}

const nothing = { entries: [], problems: [] } as const;

async function sideOf(options: KernelOptions): Promise<Side | undefined> {
  const opened = openOrReport(options);
  return opened && { ...opened, tree: await readTree(opened, options) };
}

/** Returns the modules that the other kernel does not bring itself: from DKMS, from vendors. */
function filesWithoutSuccessor(before: Side, after: Side): readonly string[] {
  const plain = (entry: ScannedFile) => plainName(bareName(entry.file));
  const brought = new Set(after.tree.map(plain));
  return before.tree.flatMap((each) => (brought.has(plain(each)) ? [] : [each.file]));
}

function verdictsOf(
  entries: readonly ScannedFile[],
  { reading, tree }: Side,
  moved: ReadonlySet<string>,
) {
  const context = tree.filter((each) => !moved.has(each.file));
  const verdicts = judgeTree([...entries, ...context], reading.kernel);
  return new Map([...verdicts].filter(([file]) => moved.has(file)));
}

interface Rebuilt extends VerdictComparison {
  readonly noLongerLoad: readonly RefusedModule[];
}

function withHurdles(
  found: VerdictComparison,
  entries: readonly ScannedFile[],
  { reading, tree }: Side,
): Rebuilt {
  const byModules = new Map<string, SymbolExport>();
  // The compared modules would be rebuilt as well, so they can use each other's exports.
  for (const each of [...entries, ...tree]) {
    for (const symbol of each.module.exports) byModules.set(symbol.name, symbol);
  }
  for (const symbol of reading.moduleExports) byModules.set(symbol.name, symbol);
  const modulesKnown = tree.length > 0 || reading.moduleExports.length > 0;
  const offered: Offered = { kernel: reading.kernel, byModules, modulesKnown };
  const moduleOf = new Map(entries.map(({ file, module }) => [file, module]));
  const noLongerLoad = found.noLongerLoad.flatMap((each) => {
    const module = moduleOf.get(each.file);
    return module === undefined ? [] : [{ ...each, rebuild: rebuildHurdles(module, offered) }];
  });
  return { ...found, noLongerLoad };
}

const namesMax = 12;

const listed = (names: readonly string[]): string =>
  listSome(names, namesMax) + (names.length > namesMax ? ' (--json has all)' : '');

/** Lists what to check in the source before it is built for that kernel. */
function rebuildLines({
  removed,
  gplOnly,
  namespaces,
  unknown,
}: RebuildHurdles): readonly string[] {
  const lines: string[] = [];
  if (removed.length > 0)
    lines.push(
      `no longer exported: ${listed(removed)}; change the source where it names them; the new headers replace what a header named`,
    );
  if (gplOnly.length > 0)
    lines.push(`now GPL-only, which its license does not allow: ${listed(gplOnly)}`);
  if (namespaces.length > 0) {
    const names = namespaces.map(({ symbol, namespace }) => `${symbol} (${namespace})`);
    lines.push(`in a namespace that it must import (MODULE_IMPORT_NS): ${listed(names)}`);
  }
  if (unknown.length > 0)
    lines.push(
      `unknown without that kernel's modules: whether one of them exports ${listed(unknown)}`,
    );
  return lines.length > 0 ? lines : ['all symbols that it imports are available to it'];
}

function show(found: Rebuilt, modules: number, release: string, json: boolean): void {
  if (json) {
    printJson({ version: 1, kernel: release, modules, ...found } satisfies ModulesUpgradeJson);
    return;
  }
  const { columns } = terminalOf(process.stdout);
  const blocks = found.noLongerLoad.map(({ file, errnoName, reasons, rebuild }) => {
    const lines = [
      ...reasons.map(({ message }) => message),
      ...rebuildLines(rebuild).map((each) => `Rebuild: ${each}`),
    ].map((each) => wrap(`  ${printable(each)}`, columns, '    '));
    return [`${printable(file)}: would be refused with ${errnoName}`, ...lines].join('\n');
  });
  const accepted = found.nowLoad.map((file) => `${printable(file)}: refused now, would load`);
  const summary = `Of ${count(modules, 'module')}, ${found.noLongerLoad.length} would no longer load on Linux ${release}`;
  const hindered = found.noLongerLoad.filter(({ rebuild }) => hasHurdles(rebuild)).length;
  const further =
    found.noLongerLoad.length === 0
      ? ''
      : `; ${hindered === 0 ? 'none' : hindered} of them use symbols that are gone or closed there, even when rebuilt`;
  print([...blocks, ...accepted, wrap(summary + further, columns, '  ')].join('\n\n'));
}

function define(command: Command, run: Runner): void {
  describeArgument(
    command,
    'modules (default: those of the tree that the new kernel does not have)',
  );
  command
    .requiredOption(
      '--to <directory>',
      'the other kernel: /lib/modules/VERSION, an unpacked package; repeatable',
      collectOption,
    )
    .option('--json', 'print it as JSON');
  withKernelOptions(command)
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules upgrade --to /lib/modules/6.12.118+deb13-amd64', 'before rebooting'],
        ['bulkhead modules upgrade --to ./linux-image-new driver.ko', 'a single module'],
      ),
    )
    .action(run(upgrade));
}

export const command: CommandModule = { define };
