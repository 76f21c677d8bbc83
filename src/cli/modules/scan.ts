/** `bulkhead modules scan`: every module judged, the bad first. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { modinfo } from '../../modules/module.ts';
import { hostRoots, runningRelease } from '../../trust/kernel-files.ts';
import type { KernelReading } from '../../trust/kernel.ts';
import { reportOf } from '../../trust/module-report.ts';
import { releaseOf } from '../../trust/module-sample.ts';
import { type ReadEntry, type Reading, type Surveyed } from '../../trust/survey.ts';
import { countsOf, type Imprint, type ScanReport } from '../../modules/reports/report.ts';
import { examples, exitCodes, type ExitCode, type Runner } from '../command.ts';
import { policyOption } from '../policy-option.ts';
import { complain, print } from '../session.ts';
import { terminalOf } from '../terminal.ts';
import { version } from '../version.ts';
import { hostDenials } from './denials.ts';
import { formatNames, writeReport, type Format } from './formats.ts';
import { runningInputs } from './running-inputs.ts';
import { scanTable } from './scan-table.ts';
import { judgeFor } from './surroundings.ts';
import {
  demandOrComplain,
  openForInputs,
  readInputs,
  readTree,
  withKernelOptions,
  type DemandOptions,
  type KernelOptions,
} from './setup.ts';

interface ScanOptions extends KernelOptions, DemandOptions {
  readonly running?: boolean;
  readonly all?: boolean;
  readonly deep?: boolean;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly format?: string;
}

async function scan(
  paths: readonly string[],
  options: ScanOptions,
  command: Command,
): Promise<ExitCode> {
  const format = formatOf(options);
  if (format === undefined) return exitCodes.usage;
  if (isAboutNothing(paths, options)) {
    complain(
      'This kernel has no loadable modules (CONFIG_MODULES), or /proc is not mounted; name files, folders or packages to look at, and their kernel by --kernel',
    );
    return exitCodes.failed;
  }
  const demand = demandOrComplain(options, command);
  const opened = await openForInputs(paths, options);
  if (demand === undefined || opened === undefined) return exitCodes.failed;
  const { reading, keys } = opened;
  const inputs = inputsOf(paths, options, reading);
  if (inputs === undefined) return exitCodes.failed;
  const read = await readInputs(inputs.paths, keys, options);
  const providers = isWholeTree(inputs.paths, reading)
    ? []
    : await providersOf(read, reading, () => readTree(opened, options));
  tellOthers(read.entries, reading, options);
  const surveyed = judgeFor(reading, read.entries, providers);
  const host = hostDenials(reading.kernel.settings);
  const problems = [...inputs.problems, ...read.problems];
  const report = reportOf(surveyed, problems, reading.kernel, demand, host);
  await show(report, format, options);
  // Without exports no verdict is whole, which has been said.
  return reading.kernel.exports.size === 0 ? exitCodes.failed : codeOf(report, surveyed);
}

/** Where no kernel was named, a few of them told it. */
function tellOthers(
  entries: readonly ReadEntry[],
  { kernel: { release } }: KernelReading,
  { kernel }: ScanOptions,
): void {
  if (kernel !== undefined || release === runningRelease(hostRoots)) return;
  const others = entries.filter(
    ({ module }) => releaseOf(modinfo(module, 'vermagic')) !== release,
  ).length;
  if (others === 0) return;
  complain(`Of ${entries.length} modules ${others} do not say that they are for Linux ${release}`);
}

/** One line says it, instead of all that cannot be known of such a kernel. */
function isAboutNothing(paths: readonly string[], { kernel, running }: ScanOptions): boolean {
  const isAsked = kernel === undefined && (running === true || paths.length === 0);
  return isAsked && !existsSync(join(hostRoots.proc, 'modules'));
}

/** The whole tree where nothing is named; what is loaded where that is asked for. */
function inputsOf(
  paths: readonly string[],
  { running }: ScanOptions,
  { moduleFolder }: KernelReading,
): { paths: readonly string[]; problems: ScanReport['problems'] } | undefined {
  if (running === true) {
    const found = runningInputs(moduleFolder);
    if (found.ok) return found.value;
    complain(found.error);
    return undefined;
  }
  if (paths.length > 0) return { paths, problems: [] };
  if (moduleFolder !== undefined) return { paths: [moduleFolder], problems: [] };
  complain('This kernel has no folder of modules; name files, folders or packages to look at');
  return undefined;
}

const isWholeTree = (paths: readonly string[], { moduleFolder }: KernelReading): boolean =>
  moduleFolder !== undefined && paths.some((each) => resolve(each) === resolve(moduleFolder));

/** Modules of the tree that were not named, where something named needs them. */
async function providersOf(
  { entries }: Reading,
  { kernel }: KernelReading,
  tree: () => Promise<readonly ReadEntry[]>,
): Promise<readonly ReadEntry[]> {
  // With exports unknown, that of the tree would decide nothing.
  if (kernel.exports.size === 0) return [];
  const offered = new Set(entries.flatMap(({ module }) => module.exports.map((each) => each.name)));
  const needed = entries.some(({ module }) =>
    module.symbols.some(
      (each) =>
        each.kind === 'import' &&
        !each.weak &&
        !kernel.exports.has(each.name) &&
        !offered.has(each.name),
    ),
  );
  if (!needed) return [];
  const own = new Set(entries.map((each) => each.sha256));
  return (await tree()).filter((each) => !own.has(each.sha256));
}

function formatOf(options: ScanOptions): Format | undefined {
  if (options.json === true) return 'json';
  if (options.csv === true) return 'csv';
  const format = formatNames.find((each) => each === (options.format ?? 'table'));
  if (format === undefined) {
    complain(`"${options.format}" is no format; it must be one of ${formatNames.join(', ')}`);
  }
  return format;
}

async function show(report: ScanReport, format: Format, options: ScanOptions): Promise<void> {
  for (const { file, offset, message } of report.problems) {
    const at = offset === null ? '' : ` (at byte ${offset})`;
    complain(`${file}: ${message}${at}`);
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

/** What the policy demands comes first: that is what a script asks for. */
function codeOf(report: ScanReport, surveyed: readonly Surveyed[]): ExitCode {
  if (countsOf(report.modules, report.problems).unmet > 0) return exitCodes.found;
  return report.problems.length > 0 || surveyed.length === 0 ? exitCodes.failed : exitCodes.done;
}

export function defineScan(parent: Command, run: Runner): void {
  const command = parent
    .command('scan')
    .argument('[path...]', 'modules, folders, .deb and .rpm packages; default: the kernel’s tree')
    .description('what each module claims, what the loader would do, how far it can be believed')
    .option('--running', 'the modules that are loaded now')
    .option('--all', 'list every module, not only what deserves a look')
    .option('--deep', 'look at the code of signed modules too (slower)')
    .option('--require <standing>', 'exit with status 3 when a module stands below it')
    .option('--format <name>', `one of ${formatNames.join(', ')}`)
    .option('--json', 'the same as --format json')
    .option('--csv', 'the same as --format csv')
    .addOption(policyOption());
  withKernelOptions(command)
    .addHelpText(
      'after',
      examples(
        ['bulkhead modules scan', 'all modules of the running kernel'],
        ['bulkhead modules scan --running', 'those that are loaded'],
        ['bulkhead modules scan driver.deb', 'a package, without installing it'],
        ['bulkhead modules scan --kernel /lib/modules/6.12.1 /lib/modules/6.11.9/extra', ''],
        ['', 'which of them would no longer load there'],
        ['bulkhead modules scan --require consistent --format sarif >modules.sarif', ''],
      ),
    )
    .action(run(scan));
}
