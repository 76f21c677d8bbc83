/** What the commands of `bulkhead modules` begin with: the kernel, the keys, what is demanded. */
import { existsSync, readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { reasonOf } from '../../sys/errno.ts';
import { plainName } from '../core/record/module.ts';
import { trustLevels, type TrustLevel } from '../../policy/trust-level.ts';
import type { ScanReport } from '../core/reports/report.ts';
import type { Demand } from '../io/scan/module-report.ts';
import { readCertificates } from '../io/kernel/certificate-file.ts';
import { openKernel, readPaths, type Opened, type ReadingChoices } from '../io/scan/scan.ts';
import type { InputKernel } from '../io/kernel/input-kernel.ts';
import { bareName } from '../core/record/module-file.ts';
import type { Keys, ReadEntry, Reading } from '../io/scan/survey.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { namesPolicy } from '../../cli/shared/policy-option.ts';
import type { Result } from '../../base/result.ts';
import { showProgress } from '../../cli/shared/progress.ts';
import { printError, pathsFor } from '../../cli/shared/output.ts';

export type { Opened };

export interface KernelOptions {
  /** Directories; none is the running kernel. */
  readonly kernel?: readonly string[];
  readonly certificate?: readonly string[];
  readonly cmdline?: string;
  readonly cache: boolean;
}

export interface DemandOptions {
  readonly policy: string;
  readonly require?: TrustLevel;
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

export function withKernelOptions(command: Command): Command {
  return command
    .option(
      '--kernel <directory>',
      'judge for the kernel in that directory: /lib/modules/VERSION, an unpacked package, headers; may be repeated',
      collect,
    )
    .option('--cmdline <text>', 'judge as if the kernel had been started with this command line')
    .option('--certificate <file>', 'a certificate that is trusted too; may be repeated', collect)
    .option('--no-cache', 'read every file anew');
}

/** The kernel and the keys that signatures are judged by, or nothing after a problem has been told. */
export function openOrReport(options: KernelOptions): Opened | undefined {
  const opened = openerOrReport(options)?.();
  if (opened === undefined || opened.ok) return opened?.value;
  printError(opened.error);
  return undefined;
}

/**
 * The same for later: what is wrong with the command line is told now, and what is not known of the kernel then. It
 * takes the kernel of what is looked at, where that is another one.
 */
export function openerOrReport(
  options: KernelOptions,
): ((own?: InputKernel) => Result<Opened>) | undefined {
  const certificates = certificatesOrReport(options.certificate ?? []);
  if (certificates === undefined) return undefined;
  const { kernel, cmdline, cache } = options;
  return (own) => {
    const options = {
      ...(kernel === undefined ? {} : { kernel }),
      ...(cmdline === undefined ? {} : { cmdline }),
      certificates,
      cache,
    };
    const opened = openKernel(options, own);
    for (const gap of opened.ok ? opened.value.reading.gaps : []) printError(gap);
    return opened;
  };
}

function certificatesOrReport(files: readonly string[]): readonly Uint8Array[] | undefined {
  const given: Uint8Array[] = [];
  for (const file of files) {
    const read = certificatesIn(file);
    if (typeof read === 'string') {
      printError(`Cannot read certificate "${file}": ${read}`);
      return undefined;
    }
    given.push(...read);
  }
  return given;
}

function certificatesIn(file: string): readonly Uint8Array[] | string {
  try {
    const read = readCertificates(readFileSync(file));
    return read.ok ? read.value : read.error;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Calls `work` with what reading is to be told: progress is shown on a terminal. */
export async function withReading<T>(
  options: KernelOptions & { readonly deep?: boolean },
  work: (choices: ReadingChoices) => Promise<T>,
): Promise<T> {
  const progress = showProgress('Reading modules');
  try {
    return await work({
      cache: options.cache,
      deep: options.deep === true,
      onRead: (done) => progress.update(done),
    });
  } finally {
    progress.done();
  }
}

export const readInputs = (
  paths: readonly string[],
  keys: Keys,
  options: KernelOptions & { readonly deep?: boolean },
): Promise<Reading> => withReading(options, (choices) => readPaths(paths, keys, choices));

/** The tree of the kernel, for the exports of its modules. Empty when it has none. */
export async function readTree(
  { reading: { moduleDirectory }, keys }: Opened,
  options: KernelOptions,
): Promise<readonly ReadEntry[]> {
  if (moduleDirectory === undefined) return [];
  return (await readInputs([moduleDirectory], keys, options)).entries;
}

/** By the name of its file. */
export function moduleNamed(tree: readonly ReadEntry[], name: string): ReadEntry | undefined {
  return tree.find((each) => plainName(bareName(each.file)) === plainName(name));
}

export const statusHelp = `
Exit status:
  0  every module that was asked about could be judged, and none is contradicted or below what is required
  1  something could not be read, or what the kernel exports is not known
  2  the command line is wrong
  3  a module is contradicted, stands below what is required, or is denied by the policy
  4  it cannot be told whether a module meets what is required`;

export const requireOption = (): Option =>
  new Option('--require <level>', 'exit with status 3 when a module stands below it').choices(
    trustLevels,
  );

/** What is demanded: the policy's, where there is one, and the command line's. */
export async function demandOrReport(
  options: DemandOptions,
  command: Command,
): Promise<Demand | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (!namesPolicy(command) && !existsSync(options.policy))
    return { require: options.require, denied: new Map() };
  const { modulesOf } = await import('./policy-demand.ts');
  const modules = modulesOf(options.policy, paths);
  if (modules === undefined) return exitCodes.failed;
  const denied = modules.deny.map(
    ({ name, reason }) => [plainName(name.value), reason ?? 'by the policy'] as const,
  );
  return { require: options.require ?? modules.require?.value, denied: new Map(denied) };
}

/**
 * What was asked for comes first, because scripts ask for it: 3 for a module that is contradicted or not accepted,
 * 1 where something failed, 4 where it cannot be told whether one is accepted.
 */
export function codeOf({ counts, kernel }: ScanReport): ExitCode {
  if (counts.trustLevels.contradicted > 0 || counts.unmet > 0) return exitCodes.found;
  // Without exports no verdict is whole, which has been said.
  if (counts.problems > 0 || counts.modules === 0 || kernel.exportsFrom === 'nowhere')
    return exitCodes.failed;
  return counts.undecided > 0 ? exitCodes.undecided : exitCodes.done;
}
