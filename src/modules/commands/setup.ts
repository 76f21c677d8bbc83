/** The common start of the `bulkhead modules` commands: the kernel, the keys, the requirements. */
import { formatProblem, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { existsSync, readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { reasonOf } from '../../../packages/base/io/errno.ts';
import { plainName } from '../../../packages/modules/core/record/module.ts';
import {
  trustLevels,
  type TrustLevel,
} from '../../../packages/modules/core/evidence/trust-level.ts';
import type { ScanReport } from '../../../packages/modules/core/reports/report.ts';
import type { ModuleDemand } from '../../../packages/modules/io/scan/module-report.ts';
import { readCertificates } from '../../../packages/modules/io/kernel/certificate-file.ts';
import {
  openKernel,
  readPaths,
  type OpenedKernel,
  type ReadingChoices,
} from '../../../packages/modules/io/scan/scan.ts';
import type { InputKernel } from '../../../packages/modules/io/kernel/input-kernel.ts';
import { bareName } from '../../../packages/modules/core/record/module-file.ts';
import type { Keys } from '../../../packages/modules/io/scan/scan-protocol.ts';
import type { ScannedFile, ScannedFiles } from '../../../packages/modules/io/scan/read-modules.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { namesPolicy } from '../../cli/shared/policy-option.ts';
import { fail, type Result } from '../../../packages/base/result.ts';
import { showProgress } from '../../cli/shared/progress.ts';
import { printError, pathsFor } from '../../cli/shared/output.ts';
import { policyReaderOf } from '../../cli/capability.ts';

export type { OpenedKernel };

export interface KernelOptions {
  /** Directories; the running kernel if there are none. */
  readonly kernel?: readonly string[];
  readonly certificate?: readonly string[];
  readonly cmdline?: string;
  /** Whether another kernel is judged by the settings of this host. */
  readonly asBootedHere?: boolean;
  readonly cache: boolean;
}

export interface DemandOptions {
  readonly policy: string;
  readonly require?: TrustLevel;
}

/** Collects the values of an option that may be given several times. */
export const collectOption = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

export function withKernelOptions(command: Command): Command {
  return command
    .option(
      '--kernel <directory>',
      'judge for the kernel in this directory: /lib/modules/VERSION, an unpacked package, headers; repeatable',
      collectOption,
    )
    .option('--cmdline <text>', 'judge as if the kernel had been booted with this command line')
    .option('--certificate <file>', 'trust this certificate too; repeatable', collectOption)
    .option('--no-cache', 'do not use cached results');
}

/**
 * Opens the kernel and the keys that signatures are checked with; undefined after a problem has
 * been printed.
 */
export function openOrReport(options: KernelOptions): OpenedKernel | undefined {
  const opened = openerOrReport(options)?.();
  if (opened === undefined || opened.ok) return opened?.value;
  printError(formatProblem(opened.error));
  return undefined;
}

/**
 * Returns a function that opens the kernel later. Errors of the command line are printed now, gaps
 * of the kernel then. If the scanned files belong to another kernel, that one is used.
 */
export function openerOrReport(
  options: KernelOptions,
): ((own?: InputKernel) => Result<OpenedKernel, Problem>) | undefined {
  const certificates = certificatesOrReport(options.certificate ?? []);
  if (certificates === undefined) return undefined;
  const { kernel, cmdline, asBootedHere, cache } = options;
  return (own) => {
    const options = {
      ...(kernel === undefined ? {} : { kernel }),
      ...(cmdline === undefined ? {} : { cmdline }),
      ...(asBootedHere === undefined ? {} : { asBootedHere }),
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
    if (!read.ok) {
      printError(formatProblem({ ...read.error, action: 'read certificate', object: file }));
      return undefined;
    }
    given.push(...read.value);
  }
  return given;
}

function certificatesIn(file: string): Result<readonly Uint8Array[], Cause> {
  try {
    return readCertificates(readFileSync(file));
  } catch (error) {
    return fail({ reason: reasonOf(error) });
  }
}

/** Calls `work` with a callback that shows progress on a terminal. */
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
): Promise<ScannedFiles> => withReading(options, (choices) => readPaths(paths, keys, choices));

/** Reads the kernel's module tree, for the exports of its modules; empty if it has none. */
export async function readTree(
  { reading: { moduleDirectory }, keys }: OpenedKernel,
  options: KernelOptions,
): Promise<readonly ScannedFile[]> {
  if (moduleDirectory === undefined) return [];
  return (await readInputs([moduleDirectory], keys, options)).entries;
}

/** Finds a module by its file name. */
export function moduleNamed(tree: readonly ScannedFile[], name: string): ScannedFile | undefined {
  return tree.find((each) => plainName(bareName(each.file)) === plainName(name));
}

export const statusHelp = `
Exit status:
  0  every module could be judged, and none is contradicted, denied or below the required trust level
  1  something could not be read, or the exports of the kernel are not known
  2  the command line is wrong
  3  a module is contradicted, is below the required trust level, or is denied by the policy
  4  whether a module meets the requirement cannot be decided`;

export const requireOption = (): Option =>
  new Option(
    '--require <level>',
    'exit with status 3 if a module is below this trust level',
  ).choices(trustLevels);

/** Returns the requirements, from the policy (if there is one) and the command line. */
export async function demandOrReport(
  options: DemandOptions,
  command: Command,
): Promise<ModuleDemand | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (!namesPolicy(command) && !existsSync(options.policy))
    return { require: options.require, denied: new Map() };
  const { modulesOf } = await import('./policy-demand.ts');
  const modules = modulesOf(await policyReaderOf(command), options.policy, paths);
  if (modules === undefined) return exitCodes.failed;
  const denied = modules.deny.map(
    ({ name, reason }) => [plainName(name.value), reason ?? 'by the policy'] as const,
  );
  return { require: options.require ?? modules.require?.value, denied: new Map(denied) };
}

/**
 * Returns the exit code, chosen for scripts. It is 3 for a module that is contradicted or not
 * accepted, 1 if something failed, 4 if acceptance cannot be decided.
 */
export function codeOf({ counts, kernel }: ScanReport): ExitCode {
  if (counts.trustLevels.contradicted > 0 || counts.rejected > 0) return exitCodes.found;
  // Without exports verdicts are incomplete, which has been printed.
  if (counts.problems > 0 || counts.modules === 0 || kernel.exportsFrom === 'nowhere')
    return exitCodes.failed;
  return counts.undecided > 0 ? exitCodes.undecided : exitCodes.done;
}
