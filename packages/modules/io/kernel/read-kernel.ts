/**
 * A kernel as its module loader sees itself, put together from the files at hand, with the origin
 * of each fact.
 *
 * Exports come, in order of trust, from Module.symvers, the image, or /proc/kallsyms of the running
 * kernel. Missing facts are reported as gaps and never guessed silently.
 */
import { arch } from 'node:os';
import { basename, join } from 'node:path';
import { quoted } from '../../../base/io/errno.ts';
import { machines } from '../../core/elf/elf-format.ts';
import type { Kernel, KernelConfig, LoaderSettings } from '../../core/kernel/kernel.ts';
import { parseCmdline } from '../../core/kernel/cmdline.ts';
import { assumedConfig, configuredMachine, parseConfig } from '../../core/kernel/config.ts';
import { parseKallsyms } from '../../core/kernel/kallsyms.ts';
import { parseSymvers, type SymversExport } from '../../core/kernel/symvers.ts';
import type { SymbolExport } from '../../core/record/module.ts';
import {
  failed,
  formatCause,
  formatProblem,
  type Cause,
  type Problem,
} from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { builtinNames } from './builtin-names.ts';
import { decompressed } from '../inputs/decompress.ts';
import {
  filesIn,
  hostRoots,
  runningFiles,
  runningRelease,
  type HostRoots,
  type KernelFiles,
} from './kernel-files.ts';
import { readImageFile, type ImageFile } from './kernel-image-file.ts';
import { readLoaderSettings } from './loader-settings.ts';
import { sampleModules, type ModuleSample } from './module-sample.ts';
import { readBounded } from '../../../base/io/regular-file.ts';
import { signsModules } from './signs-modules.ts';

export interface KernelPlace {
  /** Directories that together hold one kernel; undefined for the one that is running. */
  readonly directories: readonly string[] | undefined;
  /**
   * The command line to judge by, as if booted with it. Undefined means the current settings of
   * this host, or none if that kernel does not run here.
   */
  readonly cmdline: string | undefined;
  /** Whether to judge a kernel that does not run here as if this host had booted it. */
  readonly asBootedHere?: boolean | undefined;
  readonly roots: HostRoots;
  /** A directory of ours where data read from an image is kept. */
  readonly cache?: string | undefined;
}

export const runningKernel: KernelPlace = {
  directories: undefined,
  cmdline: undefined,
  roots: hostRoots,
};

export interface KernelReading {
  readonly kernel: Kernel;
  /** Certificates that the image trusts, DER; empty when no image could be read. */
  readonly certificates: readonly Uint8Array[];
  readonly moduleDirectory: string | undefined;
  /** Whether its build signs its modules; undefined if its tree or its keys are not at hand. */
  readonly signsModules: boolean | undefined;
  /** The exports of this kernel's modules according to Module.symvers; empty without it. */
  readonly moduleExports: readonly SymversExport[];
  /** The origin of each fact, for people; undefined for unknown facts. */
  readonly origins: Readonly<Record<KernelFact, string | undefined>>;
  /** Unknown or ignored facts, with the reason and a remedy: a sentence each. */
  readonly gaps: readonly string[];
}

type KernelFact = 'exports' | 'config' | 'vermagic' | 'structBytes' | 'certificates' | 'settings';

/**
 * Reads a kernel; fails when no kernel can be found. If its exports cannot be found, they are
 * empty, and a gap has a remedy.
 */
export function readKernel(where: KernelPlace = runningKernel): Result<KernelReading, Problem> {
  const { directories, roots } = where;
  const files = directories === undefined ? runningFiles(roots) : filesIn(directories);
  if (!files.ok) return files;
  const gaps: string[] = [];
  const failures: Cause[] = [];
  const image = firstImage(files.value, where.cache, gaps, failures);
  const sample =
    files.value.moduleDirectory === undefined
      ? undefined
      : sampleModules(files.value.moduleDirectory);
  const exports = findExports(
    files.value,
    image,
    directories === undefined ? roots.proc : undefined,
    gaps,
    failures,
  );
  if (!exports.ok) gaps.push(formatProblem(exports.error));
  const known = exports.ok ? exports.value : nothingKnown;
  const config = findConfig(
    files.value,
    image,
    directories === undefined ? roots.proc : undefined,
    gaps,
  );
  const facts = moduleFacts(files.value, sample, image, config.machine, gaps);
  const settings = settingsFor(where, files.value.release);
  if (image === undefined) gaps.push(noImage(files.value));
  const kernel: Kernel = {
    release: files.value.release,
    machine: facts.machine,
    structBytes: facts.structBytes.value,
    vermagic: facts.vermagic.value,
    config: fittingVermagic(config, facts.vermagic.value),
    exports: byName(known.kernel),
    exportsFrom: known.origin ?? 'nowhere',
    builtins: builtinNames({
      moduleDirectory: files.value.moduleDirectory,
      sys: directories === undefined ? roots.sys : undefined,
      inImage: image?.builtins,
    }),
    settings: settings.value,
  };
  return ok({
    kernel,
    certificates: image?.certificates ?? [],
    moduleDirectory: files.value.moduleDirectory,
    signsModules: signsModules(sample, image, config.value),
    moduleExports: known.modules,
    origins: {
      exports: known.origin,
      config: config.origin,
      vermagic: facts.vermagic.origin,
      structBytes: facts.structBytes.origin,
      certificates: image?.path,
      settings: settings.origin,
    },
    gaps,
  });
}

/**
 * Returns the configuration, corrected by the vermagic: if the configuration is unknown, it still
 * shows one option.
 */
function fittingVermagic(
  { value, origin }: Sourced<KernelConfig>,
  vermagic: string | undefined,
): KernelConfig {
  if (origin !== undefined || vermagic === undefined) return value;
  return { ...value, modversions: vermagic.includes(' modversions ') };
}

interface Sourced<T> {
  readonly value: T;
  readonly origin: string | undefined;
}

/** Indexes exports. If two have one name, the loader finds the one that is not GPL-only first. */
function byName(exports: readonly SymbolExport[]): ReadonlyMap<string, SymbolExport> {
  const map = new Map<string, SymbolExport>();
  for (const each of exports) {
    const known = map.get(each.name);
    if (known === undefined || (known.gplOnly && !each.gplOnly)) map.set(each.name, each);
  }
  return map;
}

function firstImage(
  files: KernelFiles,
  cache: string | undefined,
  gaps: string[],
  failures: Cause[],
): ImageFile | undefined {
  for (const path of files.images) {
    const image = readImageFile(path, cache);
    if (!image.ok) {
      failures.push(image.error);
      gaps.push(formatProblem({ ...image.error, action: 'read the kernel image', object: path }));
    } else if (image.value.release !== files.release) {
      const { release } = image.value;
      const why =
        release === undefined ? 'it states no release' : `it is of release ${quoted(release)}`;
      gaps.push(`Left out the kernel image ${quoted(path)}: ${why}, not ${quoted(files.release)}`);
    } else {
      return image.value;
    }
  }
  return undefined;
}

const noImage = ({ release }: KernelFiles): string =>
  `The keys that kernel ${quoted(release)} trusts are not known, since no image of it could be read: signatures cannot be verified; install the package "linux-image-${release}"`;

interface FoundExports {
  readonly kernel: readonly SymbolExport[];
  readonly modules: readonly SymversExport[];
  readonly origin: string | undefined;
}

const nothingKnown: FoundExports = { kernel: [], modules: [], origin: undefined };

function findExports(
  files: KernelFiles,
  image: ImageFile | undefined,
  proc: string | undefined,
  gaps: string[],
  failures: Cause[],
): Result<FoundExports, Problem> {
  const reasons: string[] = [];
  const reject = (path: string, cause: Cause) => {
    failures.push(cause);
    reasons.push(`${quoted(path)}: ${formatCause(cause)}`);
  };
  for (const path of files.symvers) {
    const found = exportsOfSymvers(path, gaps);
    if (found.ok) return found;
    reject(path, found.error);
  }
  if (image?.exports.ok === true && image.exports.value.length > 0) {
    return ok({ kernel: image.exports.value, modules: [], origin: image.path });
  }
  if (image !== undefined) {
    const { exports } = image;
    reject(
      image.path,
      exports.ok ? { reason: 'it exports nothing (CONFIG_MODULES)' } : exports.error,
    );
  }
  if (proc !== undefined) {
    const path = join(proc, 'kallsyms');
    const found = exportsOfKallsyms(path);
    if (found.ok) {
      gaps.push(
        `${quoted(path)} has neither CRCs nor namespaces of exports: symbol versions cannot be compared; install the package "linux-headers-${files.release}"`,
      );
      return ok({ kernel: found.value, modules: [], origin: path });
    }
    reject(path, found.error);
  }
  const needsRoot = proc !== undefined && !failures.some(isDenied) && process.geteuid?.() !== 0;
  return failed(noExports(files.release, [...reasons, ...gaps], needsRoot));
}

/** Whether the failure shows that root is needed. */
const isDenied = ({ errno }: Cause): boolean => errno === 'EPERM' || errno === 'EACCES';

function noExports(release: string, reasons: readonly string[], needsRoot: boolean): Problem {
  const asRoot = needsRoot ? ', or run this as root so that /proc/kallsyms can be read' : '';
  return {
    action: 'find the exports of kernel',
    object: release,
    reason:
      reasons.length === 0 ? 'there is no Module.symvers and no kernel image' : reasons.join('; '),
    hint: `install the package "linux-headers-${release}" (Debian, Ubuntu) or "kernel-devel-${release}" (Fedora)${asRoot}`,
  };
}

const symversBytesMax = 64 * 1024 * 1024;
const problemsShown = 5;

function exportsOfSymvers(path: string, gaps: string[]): Result<FoundExports, Cause> {
  const text = readTextBounded(path, symversBytesMax);
  if (!text.ok) return text;
  const { exports, problems } = parseSymvers(text.value);
  const kernel = exports.filter((each) => each.provider === 'vmlinux');
  if (kernel.length === 0) return fail({ reason: 'it has no export of the kernel itself' });
  for (const { line, message } of problems.slice(0, problemsShown)) {
    gaps.push(`Left out line ${line} of ${quoted(path)}: it ${message}`);
  }
  if (problems.length > problemsShown) {
    gaps.push(`Left out ${problems.length - problemsShown} more lines of ${quoted(path)}`);
  }
  const modules = exports.filter((each) => each.provider !== 'vmlinux');
  return ok({ kernel, modules, origin: path });
}

const kallsymsBytesMax = 128 * 1024 * 1024;

function exportsOfKallsyms(path: string): Result<readonly SymbolExport[], Cause> {
  const text = readTextBounded(path, kallsymsBytesMax);
  return text.ok ? parseKallsyms(text.value) : text;
}

function readTextBounded(path: string, bytesMax: number): Result<string, Cause> {
  const stored = readBounded(path, bytesMax);
  if (!stored.ok) return fail({ reason: stored.error.reason });
  const bytes = decompressed(stored.value, bytesMax);
  return bytes.ok ? ok(Buffer.from(bytes.value).toString('latin1')) : bytes;
}

const hostMachines: Readonly<Record<string, number>> = {
  x64: machines.x8664,
  ia32: machines.i386,
  arm64: machines.arm64,
  arm: machines.arm,
  ppc64: machines.ppc64,
  s390x: machines.s390,
  riscv64: machines.riscv,
};

interface BuildFacts {
  readonly machine: number;
  readonly structBytes: Sourced<number | undefined>;
  readonly vermagic: Sourced<string | undefined>;
}

function moduleFacts(
  files: KernelFiles,
  sample: ModuleSample | undefined,
  image: ImageFile | undefined,
  configured: number | undefined,
  gaps: string[],
): BuildFacts {
  const usable = usableSample(files, sample, gaps);
  const origin = usable?.origin;
  const machine = usable?.machine ?? image?.machine ?? configured;
  if (machine === undefined) {
    gaps.push(
      `The architecture of kernel ${quoted(files.release)} is unknown: that of this host is assumed`,
    );
  }
  const vermagic =
    image?.vermagic === undefined
      ? { value: usable?.vermagic, origin }
      : { value: image.vermagic, origin: image.path };
  if (vermagic.value === undefined) {
    gaps.push(
      `The vermagic of kernel ${quoted(files.release)} is unknown: there is neither an image of it nor a module`,
    );
  }
  return {
    machine: machine ?? hostMachines[arch()] ?? machines.x8664,
    structBytes: { value: usable?.structBytes, origin },
    vermagic,
  };
}

/** Returns the facts of modules that agree with each other and are of this release. */
function usableSample(files: KernelFiles, sample: ModuleSample | undefined, gaps: string[]) {
  const unknown = `so the size of its struct module is unknown`;
  if (sample === undefined || sample.files.length === 0) {
    gaps.push(`No module of kernel ${quoted(files.release)} was found, ${unknown}`);
    return undefined;
  }
  const names = sample.files.map((file) => basename(file)).join(', ');
  if (sample.facts === undefined) {
    gaps.push(
      `The modules of kernel ${quoted(files.release)} do not agree with each other (${names}), ${unknown}`,
    );
    return undefined;
  }
  const { vermagic } = sample.facts;
  if (vermagic !== undefined && !vermagic.startsWith(`${files.release} `)) {
    gaps.push(
      `The modules in ${quoted(files.moduleDirectory ?? '')} were built for another kernel (${quoted(vermagic)}), ${unknown}`,
    );
    return undefined;
  }
  const origin = `${sample.files.length} modules in ${files.moduleDirectory ?? ''} (${names})`;
  return { ...sample.facts, origin };
}

const configBytesMax = 16 * 1024 * 1024;

function findConfig(
  files: KernelFiles,
  image: ImageFile | undefined,
  proc: string | undefined,
  gaps: string[],
): Sourced<KernelConfig> & { readonly machine: number | undefined } {
  const paths = proc === undefined ? files.configs : [...files.configs, join(proc, 'config.gz')];
  for (const path of paths) {
    const text = readTextBounded(path, configBytesMax);
    const value = text.ok ? parseConfig(text.value) : undefined;
    if (!text.ok || value === undefined) continue;
    return { value, origin: path, machine: configuredMachine(text.value) };
  }
  if (image?.config !== undefined) {
    return { value: image.config, origin: image.path, machine: image.machine };
  }
  gaps.push(
    `The configuration of kernel ${quoted(files.release)} is unknown (no config-${files.release}): that of a Debian kernel is assumed`,
  );
  return { value: assumedConfig, origin: undefined, machine: undefined };
}

/**
 * Returns the settings to judge by: one host's lockdown, blacklist and enforcement mean nothing for
 * another kernel.
 */
function settingsFor(
  { cmdline, roots, directories, asBootedHere }: KernelPlace,
  release: string,
): Required<Sourced<LoaderSettings>> {
  const booted = (text: string) => ({ ...parseCmdline(text), modulesDisabled: false });
  if (cmdline !== undefined)
    return { value: booted(cmdline), origin: `the command line ${quoted(cmdline)}` };
  const runsHere = directories === undefined || release === runningRelease(roots);
  return runsHere || asBootedHere === true
    ? { value: readLoaderSettings(roots), origin: 'the current settings of this host' }
    : { value: booted(''), origin: 'an empty command line, since it does not run here' };
}
