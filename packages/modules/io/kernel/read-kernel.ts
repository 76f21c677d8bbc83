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
import { assumedConfig, configuredMachine, parseKernelConfig } from '../../core/kernel/config.ts';
import { parseKallsyms } from '../../core/kernel/kallsyms.ts';
import { parseSymvers, type SymversExport } from '../../core/kernel/symvers.ts';
import type { SymbolExport } from '../../core/record/module.ts';
import { formatCause, formatProblem, type Cause, type Problem } from '../../../base/problem.ts';
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
import { sampleModules, type ModuleFacts, type ModuleSample } from './module-sample.ts';
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
  return files.ok ? ok(readingOf(files.value, where)) : files;
}

function readingOf(files: KernelFiles, where: KernelPlace): KernelReading {
  const { moduleDirectory, release } = files;
  const { proc, sys } = where.directories === undefined ? where.roots : noRoots;
  const { value: image, ...others } = firstImage(files, where.cache);
  const sample = moduleDirectory === undefined ? undefined : sampleModules(moduleDirectory);
  const exports = findExports(files, image, others, proc);
  const config = findConfig(files, image, proc);
  const facts = moduleFacts(files, sample, image, config.machine);
  const { machine, structBytes, vermagic } = facts;
  const settings = settingsFor(where, release);
  return {
    kernel: {
      release,
      machine,
      structBytes: structBytes.value,
      vermagic: vermagic.value,
      config: fittingVermagic(config, vermagic.value),
      exports: byName(exports.kernel),
      exportsFrom: exports.origin ?? 'nowhere',
      builtins: builtinNames({ moduleDirectory, sys, inImage: image?.builtins }),
      settings: settings.value,
    },
    certificates: image?.certificates ?? [],
    moduleDirectory,
    signsModules: signsModules(sample, image, config.value),
    moduleExports: exports.modules,
    origins: {
      exports: exports.origin,
      config: config.origin,
      vermagic: vermagic.origin,
      structBytes: structBytes.origin,
      certificates: image?.path,
      settings: settings.origin,
    },
    gaps: [
      ...others.gaps,
      ...exports.gaps,
      ...config.gaps,
      ...facts.gaps,
      ...(image === undefined ? [noImage(files)] : []),
    ],
  };
}

/** The roots of a kernel that does not run. */
const noRoots = { proc: undefined, sys: undefined };

/** The facts that a finding leaves unknown: a sentence each. */
interface Gaps {
  readonly gaps: readonly string[];
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

/** The images that cannot be used. */
interface OtherImages extends Gaps {
  readonly failures: readonly Cause[];
}

function firstImage(
  files: KernelFiles,
  cache: string | undefined,
): OtherImages & { readonly value: ImageFile | undefined } {
  const gaps: string[] = [];
  const failures: Cause[] = [];
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
      return { value: image.value, gaps, failures };
    }
  }
  return { value: undefined, gaps, failures };
}

const noImage = ({ release }: KernelFiles): string =>
  `The keys that kernel ${quoted(release)} trusts are not known, since no image of it could be read: signatures cannot be verified; install the package "linux-image-${release}"`;

interface FoundExports extends Gaps {
  readonly kernel: readonly SymbolExport[];
  readonly modules: readonly SymversExport[];
  readonly origin: string | undefined;
}

function findExports(
  files: KernelFiles,
  image: ImageFile | undefined,
  others: OtherImages,
  proc: string | undefined,
): FoundExports {
  const rejected: (readonly [path: string, cause: Cause])[] = [];
  for (const path of files.symvers) {
    const found = exportsOfSymvers(path);
    if (found.ok) return found.value;
    rejected.push([path, found.error]);
  }
  const inImage = image && exportsOfImage(image);
  if (inImage?.ok === true) return inImage.value;
  if (image !== undefined && inImage !== undefined) rejected.push([image.path, inImage.error]);
  const inProc = proc === undefined ? undefined : exportsOfProc(join(proc, 'kallsyms'), files);
  if (inProc?.ok === true) return inProc.value;
  if (proc !== undefined && inProc !== undefined)
    rejected.push([join(proc, 'kallsyms'), inProc.error]);
  const causes = [...others.failures, ...rejected.map(([, cause]) => cause)];
  const needsRoot = proc !== undefined && !causes.some(isDenied) && process.geteuid?.() !== 0;
  const reasons = rejected.map(([path, cause]) => `${quoted(path)}: ${formatCause(cause)}`);
  const problem = noExports(files.release, [...reasons, ...others.gaps], needsRoot);
  return { kernel: [], modules: [], origin: undefined, gaps: [formatProblem(problem)] };
}

function exportsOfImage({ path, exports }: ImageFile): Result<FoundExports, Cause> {
  if (!exports.ok) return exports;
  if (exports.value.length === 0) return fail({ reason: 'it exports nothing (CONFIG_MODULES)' });
  return ok({ kernel: exports.value, modules: [], origin: path, gaps: [] });
}

function exportsOfProc(path: string, { release }: KernelFiles): Result<FoundExports, Cause> {
  const found = exportsOfKallsyms(path);
  if (!found.ok) return found;
  const gap = `${quoted(path)} has neither CRCs nor namespaces of exports: symbol versions cannot be compared; install the package "linux-headers-${release}"`;
  return ok({ kernel: found.value, modules: [], origin: path, gaps: [gap] });
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

function exportsOfSymvers(path: string): Result<FoundExports, Cause> {
  const text = readTextBounded(path, symversBytesMax);
  if (!text.ok) return text;
  const { exports, problems } = parseSymvers(text.value);
  const kernel = exports.filter((each) => each.provider === 'vmlinux');
  if (kernel.length === 0) return fail({ reason: 'it has no export of the kernel itself' });
  const modules = exports.filter((each) => each.provider !== 'vmlinux');
  const shown = problems.slice(0, problemsShown);
  const more = problems.length - shown.length;
  const gaps = [
    ...shown.map(({ line, message }) => `Left out line ${line} of ${quoted(path)}: it ${message}`),
    ...(more > 0 ? [`Left out ${more} more lines of ${quoted(path)}`] : []),
  ];
  return ok({ kernel, modules, origin: path, gaps });
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

interface BuildFacts extends Gaps {
  readonly machine: number;
  readonly structBytes: Sourced<number | undefined>;
  readonly vermagic: Sourced<string | undefined>;
}

function moduleFacts(
  files: KernelFiles,
  sample: ModuleSample | undefined,
  image: ImageFile | undefined,
  configured: number | undefined,
): BuildFacts {
  const found = usableSample(files, sample);
  const usable = found.ok ? found.value : undefined;
  const origin = usable?.origin;
  const machine = usable?.machine ?? image?.machine ?? configured;
  const vermagic =
    image?.vermagic === undefined
      ? { value: usable?.vermagic, origin }
      : { value: image.vermagic, origin: image.path };
  const release = quoted(files.release);
  return {
    machine: machine ?? hostMachines[arch()] ?? machines.x8664,
    structBytes: { value: usable?.structBytes, origin },
    vermagic,
    gaps: [
      ...(found.ok ? [] : [`${found.error.reason}, so the size of its struct module is unknown`]),
      ...(machine === undefined
        ? [`The architecture of kernel ${release} is unknown: that of this host is assumed`]
        : []),
      ...(vermagic.value === undefined
        ? [
            `The vermagic of kernel ${release} is unknown: there is neither an image of it nor a module`,
          ]
        : []),
    ],
  };
}

/** Returns the facts of modules that agree with each other and are of this release; otherwise the reason. */
function usableSample(
  files: KernelFiles,
  sample: ModuleSample | undefined,
): Result<ModuleFacts & { readonly origin: string }, Cause> {
  if (sample === undefined || sample.files.length === 0)
    return fail({ reason: `No module of kernel ${quoted(files.release)} was found` });
  const names = sample.files.map((file) => basename(file)).join(', ');
  if (sample.facts === undefined)
    return fail({
      reason: `The modules of kernel ${quoted(files.release)} do not agree with each other (${names})`,
    });
  const { vermagic } = sample.facts;
  if (vermagic !== undefined && !vermagic.startsWith(`${files.release} `))
    return fail({
      reason: `The modules in ${quoted(files.moduleDirectory ?? '')} were built for another kernel (${quoted(vermagic)})`,
    });
  const origin = `${sample.files.length} modules in ${files.moduleDirectory ?? ''} (${names})`;
  return ok({ ...sample.facts, origin });
}

const configBytesMax = 16 * 1024 * 1024;

function findConfig(
  files: KernelFiles,
  image: ImageFile | undefined,
  proc: string | undefined,
): Sourced<KernelConfig> & Gaps & { readonly machine: number | undefined } {
  const paths = proc === undefined ? files.configs : [...files.configs, join(proc, 'config.gz')];
  for (const path of paths) {
    const text = readTextBounded(path, configBytesMax);
    const value = text.ok ? parseKernelConfig(text.value) : undefined;
    if (!text.ok || value === undefined) continue;
    return { value, origin: path, machine: configuredMachine(text.value), gaps: [] };
  }
  if (image?.config !== undefined) {
    return { value: image.config, origin: image.path, machine: image.machine, gaps: [] };
  }
  const gap = `The configuration of kernel ${quoted(files.release)} is unknown (no config-${files.release}): that of a Debian kernel is assumed`;
  return { value: assumedConfig, origin: undefined, machine: undefined, gaps: [gap] };
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
