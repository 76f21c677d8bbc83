/** `bulkhead modules explain`: one module in detail. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { infoName, plainName } from '../../../packages/modules/core/record/module.ts';
import { nearest } from '../../policy/diagnostic.ts';
import { reportOf } from '../../../packages/modules/io/scan/module-report.ts';
import { bareName } from '../../../packages/modules/core/record/module-file.ts';
import { hostDenials } from '../../../packages/modules/io/kernel/denials.ts';
import { judgeFor } from '../../../packages/modules/io/scan/judge-modules.ts';
import type { ScannedFile } from '../../../packages/modules/io/scan/read-modules.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../cli/shared/command.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { printError, print, printJson } from '../../cli/shared/output.ts';
import { terminalOf } from '../../cli/shared/terminal.ts';
import { explainModule } from './explanation.ts';
import {
  codeOf,
  demandOrReport,
  moduleNamed,
  openOrReport,
  readInputs,
  readTree,
  requireOption,
  statusHelp,
  withKernelOptions,
  type DemandOptions,
  type KernelOptions,
} from './setup.ts';
import type { ModulesExplainJson } from './json.ts';

interface ExplainOptions extends KernelOptions, DemandOptions {
  readonly json?: boolean;
}

async function explain(name: string, options: ExplainOptions, command: Command): Promise<ExitCode> {
  const demand = await demandOrReport(options, command);
  if (typeof demand === 'number') return demand;
  const opened = openOrReport(options);
  if (opened === undefined) return exitCodes.failed;
  const { reading, keys } = opened;
  const tree = await readTree(opened, options);
  const file = fileOf(name, tree);
  if (file === undefined) return exitCodes.failed;
  // Reads in depth, which the scan of a whole tree skips for signed modules.
  const deep = { ...options, cache: false, deep: true };
  const { entries, problems } = await readInputs([file], keys, deep);
  for (const each of problems) printError(`${each.file}: ${each.message}`);
  const providers = tree.filter((each) => entries.every((own) => own.sha256 !== each.sha256));
  const surveyed = await judgeFor(reading, entries, providers);
  const host = hostDenials(reading.kernel.settings);
  const denied = new Map([...host, ...demand.denied]);
  const report = reportOf(surveyed, problems, reading, demand, host);
  if (options.json === true) {
    printJson(report satisfies ModulesExplainJson);
  } else {
    const terminal = terminalOf(process.stdout);
    const context = {
      kernel: reading.kernel,
      settingsFrom: reading.origins.settings,
      tree,
    };
    const texts = surveyed.map((each) =>
      explainModule(
        each,
        { ...context, denied: denied.get(plainName(infoName(each.module) ?? '')) },
        terminal,
      ),
    );
    print(texts.join('\n\n'));
  }
  return codeOf(report);
}

/**
 * Returns the name itself if it is an existing file, else the file of that module in the kernel's
 * tree.
 */
function fileOf(name: string, tree: readonly ScannedFile[]): string | undefined {
  if (/[/.]/.test(name) && existsSync(name)) return name;
  const found = moduleNamed(tree, name);
  if (found !== undefined) return found.file;
  const close = nearest(
    name,
    tree.map((each) => bareName(each.file)),
  );
  const hint = close === undefined ? '' : `; did you mean "${close}"?`;
  printError(`There is no file "${name}" and no module of that name in this kernel's tree${hint}`);
  return undefined;
}

function define(command: Command, run: Runner): void {
  describeArgument(command, 'a name in the kernel’s tree, or a file');
  command.addOption(requireOption()).option('--json', 'print it as JSON').addOption(policyOption());
  withKernelOptions(command)
    .addHelpText('after', statusHelp)
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules explain zfs', 'a module of the running kernel'],
        ['bulkhead modules explain ./driver.ko', 'a file'],
        ['bulkhead modules explain zfs --kernel /lib/modules/6.12.1', 'in another kernel'],
      ),
    )
    .action(run(explain));
}

export const command: CommandModule = { define };
