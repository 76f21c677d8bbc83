/** What the commands of `bulkhead modules` begin with: the kernel, the keys, what is demanded. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { loadPolicy } from '../../agent/load.ts';
import { reasonOf } from '../../host/errno.ts';
import type { Paths } from '../../host/paths.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import { plainName } from '../../modules/module.ts';
import { standings, type Standing } from '../../modules/standing.ts';
import type { ModulesElement } from '../../policy/document.ts';
import { parseModules } from '../../policy/parse.ts';
import { collectInputs } from '../../trust/inputs.ts';
import { kernelOfInputs, type InputKernel } from '../../trust/input-kernel.ts';
import { hostRoots, runningRelease } from '../../trust/kernel-files.ts';
import { readKernel, runningKernel, type KernelReading } from '../../trust/kernel.ts';
import type { Demand } from '../../trust/module-report.ts';
import { readCertificates } from '../../trust/certificate-file.ts';
import { cacheDirectory } from '../../trust/own-cache.ts';
import { bareName } from '../../modules/module-file.ts';
import { readAll, type Keys, type ReadEntry, type Reading } from '../../trust/survey.ts';
import { namesPolicy } from '../policy-option.ts';
import { showProgress } from '../progress.ts';
import { complain, pathsFor, showDiagnostics } from '../session.ts';

export interface KernelOptions {
  /** Folders; none is the running kernel. */
  readonly kernel?: readonly string[];
  readonly certificate?: readonly string[];
  readonly cmdline?: string;
  readonly cache: boolean;
}

export interface DemandOptions {
  readonly policy: string;
  readonly require?: string;
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

export function withKernelOptions(command: Command): Command {
  return command
    .option(
      '--kernel <folder>',
      'judge for the kernel in that folder: /lib/modules/VERSION, an unpacked package, headers; may be repeated',
      collect,
    )
    .option('--cmdline <text>', 'judge as if the kernel had been started with this command line')
    .option('--certificate <file>', 'a certificate that is trusted too; may be repeated', collect)
    .option('--no-cache', 'read every file anew');
}

export interface Opened {
  readonly reading: KernelReading;
  readonly keys: Keys;
}

/** The kernel and the keys that signatures are judged by, or nothing after a problem has been told. */
export function openOrComplain(
  options: KernelOptions,
  renamed: (text: string) => string = (text) => text,
): Opened | undefined {
  const reading = kernelOrComplain(options, renamed);
  const keys = reading && keysOrComplain(options, reading);
  return reading === undefined || keys === undefined ? undefined : { reading, keys };
}

/**
 * The same for what is to be looked at: where all of it is for one kernel that is not the running one, and none
 * is named, it is judged for that one.
 */
export async function openForInputs(
  paths: readonly string[],
  options: KernelOptions,
): Promise<Opened | undefined> {
  if (options.kernel !== undefined || paths.length === 0) return openOrComplain(options);
  using kernel = await kernelOfInputs(paths, hostRoots);
  if (kernel === undefined || kernel.release === runningRelease(hostRoots)) {
    return openOrComplain(options);
  }
  const { release, folders } = kernel;
  if (folders === undefined) {
    complain(
      `These modules are for Linux ${release}, of which nothing is here, so they are judged for the running kernel; name a folder of theirs with --kernel`,
    );
    return openOrComplain(options);
  }
  complain(
    `These modules are for Linux ${release}, so they are judged for it; --kernel names another`,
  );
  const opened = openOrComplain({ ...options, kernel: folders }, kernel.renamed);
  return opened && { ...opened, reading: withoutCopies(opened.reading, kernel) };
}

/** What was taken out of packages goes with them, and the modules among it are looked at anyway. */
const withoutCopies = (reading: KernelReading, { copies }: InputKernel): KernelReading =>
  reading.moduleFolder?.startsWith(copies) === true
    ? { ...reading, moduleFolder: undefined }
    : reading;

function kernelOrComplain(
  options: KernelOptions,
  renamed: (text: string) => string,
): KernelReading | undefined {
  const reading = readKernel({
    ...runningKernel,
    folders: options.kernel,
    cmdline: options.cmdline,
    cache: options.cache ? cacheDirectory() : undefined,
  });
  if (reading.ok) {
    for (const gap of reading.value.gaps) complain(renamed(gap));
    const { kernel } = reading.value;
    return { ...reading.value, kernel: { ...kernel, exportsFrom: renamed(kernel.exportsFrom) } };
  }
  complain(renamed(reading.error));
  return undefined;
}

function keysOrComplain(options: KernelOptions, { certificates }: KernelReading): Keys | undefined {
  const given: Uint8Array[] = [];
  for (const file of options.certificate ?? []) {
    const read = certificatesIn(file);
    if (typeof read === 'string') {
      complain(`Cannot read certificate "${file}": ${read}`);
      return undefined;
    }
    given.push(...read);
  }
  return { kernel: certificates, given };
}

function certificatesIn(file: string): readonly Uint8Array[] | string {
  try {
    const read = readCertificates(readFileSync(file));
    return read.ok ? read.value : read.error;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Reads with progress on a terminal. */
export async function readInputs(
  paths: readonly string[],
  keys: Keys,
  options: KernelOptions & { readonly deep?: boolean },
): Promise<Reading> {
  const progress = showProgress('Reading modules');
  try {
    return await readAll(collectInputs(paths), keys, {
      cacheAs: options.cache ? paths : undefined,
      deep: options.deep === true,
      onRead: (done) => progress.update(done),
    });
  } finally {
    progress.done();
  }
}

/** The tree of the kernel, for the exports of its modules. Empty when it has none. */
export async function readTree(
  { reading: { moduleFolder }, keys }: Opened,
  options: KernelOptions,
): Promise<readonly ReadEntry[]> {
  if (moduleFolder === undefined) return [];
  return (await readInputs([moduleFolder], keys, options)).entries;
}

/** By the name of its file. */
export function moduleNamed(tree: readonly ReadEntry[], name: string): ReadEntry | undefined {
  return tree.find((each) => plainName(bareName(each.file)) === plainName(name));
}

/** What is demanded: the policy's, where there is one, and the command line's. */
export function demandOrComplain(options: DemandOptions, command: Command): Demand | undefined {
  const paths = pathsFor(command);
  const modules = paths && modulesOf(options.policy, paths, command);
  if (modules === undefined) return undefined;
  const required = options.require ?? modules.require?.value;
  if (required !== undefined && !isStanding(required)) {
    complain(`"${required}" is no standing; it must be one of ${standings.join(', ')}`);
    return undefined;
  }
  const denied = modules.deny.map(
    ({ name, reason }) => [plainName(name.value), reason ?? 'by the policy'] as const,
  );
  return { require: required, denied: new Map(denied) };
}

type Demanded = Pick<ModulesElement, 'require' | 'deny'>;

/** What the policy says of modules; nothing after its errors have been shown. */
function modulesOf(file: string, paths: Paths, command: Command): Demanded | undefined {
  const none: Demanded = { require: undefined, deny: [] };
  const read = readPolicyFile(file);
  if (!read.ok) {
    if (!namesPolicy(command) && !existsSync(file)) return none;
    complain(read.error);
    return undefined;
  }
  const { modules, diagnostics } = parseModules(file, read.value.text);
  if (diagnostics.failed) {
    showDiagnostics(diagnostics.list, 'error');
    complain(`${file} has errors; what it demands of modules is not known`);
    return undefined;
  }
  if (loadPolicy(file, paths).policy === undefined) {
    complain(
      `${file} has errors, but not in what it demands of modules; "bulkhead check" shows them`,
    );
  }
  return modules ?? none;
}

const isStanding = (word: string): word is Standing =>
  (standings as readonly string[]).includes(word);
