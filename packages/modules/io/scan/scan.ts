/**
 * A whole scan, as `bulkhead modules scan` does it: the kernel, the input, the further modules that
 * it needs, and the report. The command and the library both call this.
 */
import { resolve } from 'node:path';
import { readCertificates } from '../kernel/certificate-file.ts';
import { failed, type Problem } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import type { ScanProblem, ScanReport } from '../../core/reports/report.ts';
import type { TrustLevel } from '../../core/evidence/trust-level.ts';
import { plainName } from '../../core/record/module.ts';
import { hostDenials } from '../kernel/denials.ts';
import { collectInputs } from '../inputs/inputs.ts';
import { kernelOfInputs, type InputKernel } from '../kernel/input-kernel.ts';
import { filesIn, hostRoots, runningFiles, runningRelease } from '../kernel/kernel-files.ts';
import { readKernel, runningKernel, type KernelReading } from '../kernel/read-kernel.ts';
import { reportOf, type ModuleDemand } from './module-report.ts';
import { scanCacheDirectory } from './own-cache.ts';
import { judgeFor } from './judge-modules.ts';
import {
  readAhead,
  readAll,
  type ScannedFile,
  type ScannedFiles,
  type ReadingOptions,
} from './read-modules.ts';
import type { Keys } from './scan-protocol.ts';

export interface ScanOptions {
  /** Directories that together hold the kernel to judge for; by default the running one. */
  readonly kernel?: readonly string[];
  /**
   * The command line to judge by, as if the kernel had been booted with it. The default is this
   * host as it is now, or an empty one for a kernel that does not run here.
   */
  readonly cmdline?: string;
  /**
   * Whether to judge a kernel that does not run here by the settings of this host, as if it had
   * booted it.
   */
  readonly asBootedHere?: boolean;
  /** Certificates that are trusted in addition to the kernel's, DER or PEM. */
  readonly certificates?: readonly Uint8Array[];
  /** Whether to analyze the code of signed modules too. */
  readonly deep?: boolean;
  /** Whether to cache results and use cached ones, as the command does. Off by default. */
  readonly cache?: boolean;
  /** The lowest trust level that is accepted. */
  readonly require?: TrustLevel;
  /** Modules that are not accepted: name → why. */
  readonly deny?: ReadonlyMap<string, string>;
}

/**
 * Judges modules for a kernel: files, directories, packages; the default is the kernel's own tree.
 * Returns the report that `bulkhead modules scan --json` prints. Fails when no such kernel can be
 * found. Unreadable files are `problems` of the report; `kernel.gaps` lists unknown facts about the
 * kernel.
 */
export async function scan(
  paths: readonly string[] = [],
  options: ScanOptions = {},
): Promise<Result<ScanReport, Problem>> {
  const asked = pathsOr(paths, options.kernel);
  if (!asked.ok) return asked;
  const demand: ModuleDemand = {
    require: options.require,
    denied: new Map([...(options.deny ?? [])].map(([name, why]) => [plainName(name), why])),
  };
  const { own } = await kernelOfPaths(paths, options.kernel);
  using _own = own;
  return scanFor(() => openKernel(options, own), asked.value, demand, options);
}

/**
 * Finds the kernel that all of the input is for, and a note about it. It looks only if no kernel is
 * named; the running one is not returned.
 */
export async function kernelOfPaths(
  paths: readonly string[],
  kernel: readonly string[] | undefined,
): Promise<{ readonly own?: InputKernel; readonly note?: string }> {
  if (kernel !== undefined || paths.length === 0) return {};
  const own = await kernelOfInputs(paths, hostRoots);
  if (own === undefined) return {};
  const { release, directories } = own;
  const isRunning = release === runningRelease(hostRoots);
  if (!isRunning && directories !== undefined) {
    const note = `These modules are for Linux ${release} and judged for it; --kernel selects another`;
    return { own, note };
  }
  own[Symbol.dispose]();
  if (isRunning) return {};
  const note = `These modules are for Linux ${release}, which was not found, so they are judged for the running kernel; name its directory with --kernel`;
  return { note };
}

/** Returns the paths, or the directory of the kernel's own modules if nothing is named. */
export function pathsOr(
  paths: readonly string[],
  kernel: readonly string[] | undefined,
): Result<readonly string[], Problem> {
  if (paths.length > 0) return ok(paths);
  const files = kernel === undefined ? runningFiles(hostRoots) : filesIn(kernel);
  if (!files.ok) return files;
  const { moduleDirectory } = files.value;
  return moduleDirectory === undefined ? failed(noDirectory) : ok([moduleDirectory]);
}

const noDirectory: Problem = {
  action: 'scan the modules of this kernel',
  reason: 'it has no module directory',
  hint: 'name files, directories or packages',
};

export interface OpenedKernel {
  readonly reading: KernelReading;
  readonly keys: Keys;
}

/**
 * Opens the kernel, and the keys that signatures are checked with. `own` is the input's kernel, if
 * it is used.
 */
export function openKernel(options: ScanOptions, own?: InputKernel): Result<OpenedKernel, Problem> {
  const given: Uint8Array[] = [];
  for (const each of options.certificates ?? []) {
    const read = readCertificates(each);
    if (!read.ok) return failed({ ...read.error, action: 'read a given certificate' });
    given.push(...read.value);
  }
  const reading = readKernel({
    ...runningKernel,
    directories: own?.directories ?? options.kernel,
    cmdline: options.cmdline,
    asBootedHere: options.asBootedHere,
    cache: options.cache === true ? scanCacheDirectory() : undefined,
  });
  if (!reading.ok) return fail(own === undefined ? reading.error : asGiven(reading.error, own));
  const found = own === undefined ? reading.value : readOutOf(reading.value, own);
  return ok({ reading: found, keys: { kernel: found.certificates, given } });
}

/**
 * Names files from packages by their origin in the result. They are removed with the package, and
 * the modules among them are read anyway.
 */
function readOutOf(reading: KernelReading, { copies, renamed }: InputKernel): KernelReading {
  const { kernel, gaps, moduleDirectory } = reading;
  return {
    ...reading,
    gaps: gaps.map(renamed),
    kernel: { ...kernel, exportsFrom: renamed(kernel.exportsFrom) },
    moduleDirectory: moduleDirectory?.startsWith(copies) === true ? undefined : moduleDirectory,
  };
}

/** Does the same for a problem. */
const asGiven = (problem: Problem, { renamed }: InputKernel): Problem => ({
  ...problem,
  reason: renamed(problem.reason),
  ...(problem.object === undefined ? {} : { object: renamed(problem.object) }),
});

export interface ReadingChoices {
  readonly deep?: boolean;
  readonly cache?: boolean;
  readonly onRead?: (done: number) => void;
}

const optionsOf = (
  paths: readonly string[],
  { deep = false, cache = false, onRead = () => {} }: ReadingChoices,
): ReadingOptions => ({ cacheAs: cache ? paths : undefined, deep, onRead });

export const readPaths = (
  paths: readonly string[],
  keys: Keys,
  choices: ReadingChoices,
): Promise<ScannedFiles> => readAll(collectInputs(paths), keys, optionsOf(paths, choices));

/**
 * Scans for a kernel. `open` is called once, while threads unpack the modules: the kernel's image
 * takes time. `problems` are the problems of finding the paths; they come before the problems of
 * reading.
 */
export async function scanFor(
  open: () => Result<OpenedKernel, Problem>,
  paths: readonly string[],
  demand: ModuleDemand,
  choices: ReadingChoices,
  problems: readonly ScanProblem[] = [],
): Promise<Result<ScanReport, Problem>> {
  let opened: Result<OpenedKernel, Problem> | undefined;
  const keys = () => {
    opened = open();
    return opened.ok ? ok(opened.value.keys) : opened;
  };
  const read = await readAhead(collectInputs(paths), keys, optionsOf(paths, choices));
  if (!read.ok) return read;
  if (opened?.ok !== true) throw new Error('modules were read without a kernel');
  const { reading } = opened.value;
  const providers = isWholeTree(paths, reading)
    ? []
    : await providersOf(read.value, opened.value, choices);
  const surveyed = await judgeFor(reading, read.value.entries, providers);
  const host = hostDenials(reading.kernel.settings);
  return ok(reportOf(surveyed, [...problems, ...read.value.problems], reading, demand, host));
}

const isWholeTree = (paths: readonly string[], { moduleDirectory }: KernelReading): boolean =>
  moduleDirectory !== undefined && paths.some((each) => resolve(each) === resolve(moduleDirectory));

/** Reads modules of the tree that were not named, if a named one needs them. */
async function providersOf(
  { entries }: ScannedFiles,
  { reading: { kernel, moduleDirectory }, keys }: OpenedKernel,
  choices: ReadingChoices,
): Promise<readonly ScannedFile[]> {
  // If exports are unknown, the tree's exports would decide nothing.
  if (kernel.exports.size === 0 || moduleDirectory === undefined) return [];
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
  const tree = await readPaths([moduleDirectory], keys, choices);
  return tree.entries.filter((each) => !own.has(each.sha256));
}
