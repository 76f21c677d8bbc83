/** `bulkhead modules scan`: judges every module and lists the worst first. */
import { type Problem } from '../../../packages/base/problem.ts';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { hostRoots } from '../../../packages/modules/io/kernel/kernel-files.ts';
import { releaseOf } from '../../../packages/modules/io/kernel/module-sample.ts';
import { kernelOfPaths, pathsOr, scanFor } from '../../../packages/modules/io/scan/scan.ts';
import type { Imprint, ScanReport } from '../../../packages/modules/core/reports/report.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../cli/shared/command.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { keepReport } from '../../host/kept-reports.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import { printError, print, failWith, pathsFor } from '../../cli/shared/output.ts';
import { terminalOf } from '../../cli/shared/terminal.ts';
import { version } from '../../cli/version.ts';
import { formatNames, writeReport, type Format } from './formats.ts';
import { runningInputs, type RunningInputs } from './running-inputs.ts';
import { keptScan } from '../core/kept-scan.ts';
import { scanTable } from './scan-table.ts';
import {
  codeOf,
  demandOrReport,
  openerOrReport,
  requireOption,
  statusHelp,
  withKernelOptions,
  withReading,
  type DemandOptions,
  type KernelOptions,
} from './setup.ts';

interface ScanOptions extends KernelOptions, DemandOptions {
  readonly running?: boolean;
  readonly all?: boolean;
  readonly deep?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly format: Format;
}

async function scan(
  paths: readonly string[],
  options: ScanOptions,
  command: Command,
): Promise<ExitCode> {
  if (isAboutNothing(paths, options))
    return failWith(
      'This kernel has no loadable modules (CONFIG_MODULES), or /proc is not mounted; name files, directories or packages to scan, and their kernel with --kernel',
    );
  const demand = await demandOrReport(options, command);
  if (typeof demand === 'number') return demand;
  const open = openerOrReport(options);
  if (open === undefined) return exitCodes.failed;
  const inputs = inputsOf(paths, options);
  const { own, note } = await kernelOfPaths(paths, options.kernel);
  using _own = own;
  if (note !== undefined) printError(note);
  const report = inputs.ok
    ? await withReading(options, (choices) =>
        scanFor(() => open(own), inputs.value.paths, demand, choices, inputs.value.problems),
      )
    : inputs;
  if (!report.ok) return failWith(report.error);
  if (own !== undefined) reportOthers(report.value);
  if (isWholeTree(paths, options)) keepForConsole(report.value, command);
  await show(report.value, formatOf(options), options);
  return codeOf(report.value);
}

/** Whether all modules of the running kernel are meant. */
const isWholeTree = (paths: readonly string[], { kernel, running }: ScanOptions): boolean =>
  paths.length === 0 && kernel === undefined && running !== true;

function keepForConsole(report: ScanReport, command: Command): void {
  const paths = pathsFor(command);
  if (paths === undefined) return;
  const kept = keepReport(paths, 'modules-scan', keptScan(report, loadedNames()));
  if (!kept.ok) printError(kept.error);
}

/** Returns the names of loaded modules; undefined if they cannot be read. */
function loadedNames(): ReadonlySet<string> | undefined {
  const text = readText(join(hostRoots.proc, 'modules'));
  return text === undefined
    ? undefined
    : new Set(text.split('\n').map((line) => line.split(' ', 1)[0] ?? ''));
}

/** Reports how many modules name another kernel than the one they are judged for. */
function reportOthers({ modules, kernel: { release } }: ScanReport): void {
  const others = modules.filter((each) => releaseOf(each.vermagic ?? undefined) !== release).length;
  if (others === 0) return;
  printError(`${others} of ${modules.length} modules are not marked for Linux ${release}`);
}

/**
 * Whether the running kernel is meant and has no loadable modules; one line then replaces all that
 * cannot be known of it.
 */
function isAboutNothing(paths: readonly string[], { kernel, running }: ScanOptions): boolean {
  const isAsked = kernel === undefined && (running === true || paths.length === 0);
  return isAsked && !existsSync(join(hostRoots.proc, 'modules'));
}

/** Returns the named files, the loaded modules with `--running`, else the whole tree. */
function inputsOf(
  paths: readonly string[],
  { running, kernel }: ScanOptions,
): Result<RunningInputs, Problem> {
  const found = pathsOr(running === true ? [] : paths, kernel);
  if (running === true) return runningInputs(found.ok ? found.value[0] : undefined);
  return found.ok ? ok({ paths: found.value, problems: [] }) : found;
}

function formatOf({ json, csv, format }: ScanOptions): Format {
  if (json === true) return 'json';
  return csv === true ? 'csv' : format;
}

async function show(report: ScanReport, format: Format, options: ScanOptions): Promise<void> {
  for (const { file, offset, message } of report.problems) {
    const at = offset === null ? '' : ` (at byte ${offset})`;
    printError(`${file}: ${message}${at}`);
  }
  if (format === 'table') {
    print(scanTable(report, options.all === true, terminalOf(process.stdout)));
  } else {
    await writeReport(report, format, imprint());
  }
}

function imprint(): Imprint {
  const serial = randomUUID();
  return {
    createdIso: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    toolVersion: version(),
    documentNamespace: `urn:uuid:${serial}`,
    serial,
    root: process.cwd(),
  };
}

function define(command: Command, run: Runner): void {
  describeArgument(
    command,
    'modules, directories, .deb and .rpm packages (default: the kernel’s tree)',
  );
  command
    .option('--running', 'scan the loaded modules')
    .option('--all', 'list every module, not only those that deserve attention')
    .option('--deep', 'analyze the code of signed modules too (slower)')
    .addOption(requireOption())
    .addOption(new Option('--format <name>', 'output format').choices(formatNames).default('table'))
    .option('--json', 'the same as --format json')
    .option('--csv', 'the same as --format csv')
    .addOption(policyOption());
  withKernelOptions(command)
    .addHelpText('after', statusHelp)
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules scan', 'all modules of the running kernel'],
        ['bulkhead modules scan --running', 'the loaded ones'],
        ['bulkhead modules scan driver.deb', 'a package, without installing it'],
        ['bulkhead modules scan --kernel /lib/modules/6.12.1 /lib/modules/6.11.9/extra', ''],
        ['', 'which of them would no longer load on that kernel'],
        ['bulkhead modules scan --require consistent --format sarif >modules.sarif', ''],
      ),
    )
    .action(run(scan));
}

export const command: CommandModule = { define };
