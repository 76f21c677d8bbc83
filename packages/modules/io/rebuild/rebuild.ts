/**
 * Builds a module from the offered source, and checks whether the result is the same module.
 *
 * This is the decisive test of an offered source. The build runs in a jail, with the compiler that
 * the module names and the headers of its kernel, and is compared byte by byte. `reproduced` means
 * that these files, built so, are this module; it does not mean that the files are fit to read.
 */
import { cpus } from 'node:os';
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { quoted } from '../../../base/io/errno.ts';
import { compareModules, type Comparison } from '../../core/compare/compare.ts';
import { readElf } from '../../core/elf/read-elf.ts';
import type { Elf } from '../../core/elf/elf.ts';
import { infoName, plainName, type KernelModule } from '../../core/record/module.ts';
import { failed, formatProblem, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { buildDirectoryOf } from '../source/build-directory.ts';
import { findCompiler, type Compiler } from './compiler.ts';
import {
  dkmsCommand,
  dkmsPlaceOf,
  kernelMounts,
  sourceMounts,
  type DkmsPlace,
} from './dkms-build.ts';
import { jailTools, runInJail, type JailOptions, type JailResult } from './sandbox.ts';
import type { JailLimits } from './sandbox-command.ts';
import type { SandboxMount } from './sandbox-command.ts';
import type { KernelBuild } from '../kernel/kernel-build.ts';
import {
  directoryInTree,
  directoryOfExternal,
  directoryToBuild,
  isKernelTree,
  moduleFileName,
} from '../source/module-directory.ts';
import { archiveOf, listSourceFiles, type SourceFiles } from '../source/source-files.ts';

interface RebuildOptions {
  /** The directory of the source with the module's makefile, relative; searched if not given. */
  readonly directory?: string;
  readonly limits?: Partial<JailLimits>;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly makeCgroup?: JailOptions['makeCgroup'];
}

export type Rebuilt = RebuiltFacts &
  (
    | {
        /** Whether the build is the same as the module. */
        readonly outcome: 'reproduced' | 'differs';
        /** The comparison of module and build. */
        readonly comparison: Comparison;
      }
    | {
        /** `undecided`: nothing was built that could be compared. */
        readonly outcome: 'undecided';
        /** A sentence without a full stop. */
        readonly reason: string;
        /** The last lines of a failed build. */
        readonly lastLines: readonly string[];
        /** The first lines of the build that report errors. */
        readonly errors: readonly string[];
      }
  );

interface RebuiltFacts {
  /** Remarks on how the outcome came about. */
  readonly notes: readonly string[];
  /** Compiled code in the source; it is left out, so that nothing is built from it. */
  readonly compiled: readonly string[];
}

export async function rebuild(
  module: KernelModule,
  elf: Elf,
  source: string,
  build: KernelBuild,
  options: RebuildOptions = {},
): Promise<Rebuilt> {
  const prepared = await prepare(module, elf, source, options);
  if (!prepared.ok) return undecided(formatProblem(prepared.error));
  const plan = prepared.value;
  const built = await buildAndCompare(plan, elf, build, options);
  if (built.outcome !== 'undecided' || plan.dkms === undefined) return built;
  // dkms.conf builds in another way, so only an equal result means anything.
  const plain = await buildAndCompare({ ...plan, dkms: undefined }, elf, build, options);
  return plain.outcome === 'reproduced' ? plain : built;
}

async function buildAndCompare(
  plan: BuildPlan,
  elf: Elf,
  build: KernelBuild,
  options: RebuildOptions,
): Promise<Rebuilt> {
  const { compiled } = plan.files;
  const errors: string[] = [];
  const run = await runBuild(plan, build, { ...options, onLine: errorsOf(errors, options.onLine) });
  if (!run.ok) return { ...undecided(formatProblem(run.error)), notes: notesOf(plan), compiled };
  const facts = { notes: [...notesOf(plan), ...boundsOf(run.value)], compiled };
  const built = moduleOf(run.value, compiled);
  if (!built.ok)
    return { ...undecided(formatProblem(built.error), run.value.lastLines, errors), ...facts };
  const comparison = compareModules(elf, built.value);
  if (!comparison.ok) {
    const { message, offset } = comparison.error;
    return { ...undecided(`One of the compared modules ${message} (offset ${offset})`), ...facts };
  }
  const outcome = comparison.value.same ? 'reproduced' : 'differs';
  return { outcome, comparison: comparison.value, ...facts };
}

const errorsMax = 5;

/** Keeps the lines with errors: in long output, the last lines do not have them. */
const errorsOf =
  (errors: string[], next: RebuildOptions['onLine']) =>
  (line: string): void => {
    const message = /\berror: |undefined reference|^ERROR: |: not found$/.test(line);
    if (message && errors.length < errorsMax) errors.push(line);
    next?.(line);
  };

export function undecided(
  reason: string,
  lastLines: readonly string[] = [],
  errors: readonly string[] = [],
) {
  return { outcome: 'undecided', reason, lastLines, errors, notes: [], compiled: [] } as const;
}

interface BuildPlan {
  readonly compiler: Compiler;
  readonly files: SourceFiles;
  /** The tree of the kernel's whole source, which the module's directory reaches into. */
  readonly tree: string | undefined;
  /**
   * The place of the built directory in the jail, and the part of that path that the compiler must
   * leave out.
   */
  readonly place: string;
  readonly prefixMap: string;
  readonly target: string;
  readonly name: string;
  /** The dkms build; undefined if the source has no dkms.conf. */
  readonly dkms: DkmsBuild | undefined;
}

interface DkmsBuild {
  readonly place: DkmsPlace;
  /** The directory where the module was built, if that was another one. */
  readonly builtIn: string | undefined;
}

async function prepare(
  module: KernelModule,
  elf: Elf,
  given: string,
  options: RebuildOptions,
): Promise<Result<BuildPlan, Problem>> {
  const tools = jailTools();
  if (!tools.ok) return tools;
  const source = realDirectory(given);
  if (source === undefined)
    return failed({ action: 'build the source', object: given, reason: 'it is not a directory' });
  const compiler = await findCompiler(module.observations.compilers);
  if (!compiler.ok) return failed({ ...compiler.error, action: "use the module's compiler" });
  const name = builtName(module);
  if (!/^[\w.+-]{1,200}$/.test(name))
    return failed({ action: 'build', object: name, reason: 'it is not a module name' });
  const place = isKernelTree(source)
    ? inTree(module, source, name, options)
    : external(elf, source, name, options);
  return place.ok ? ok({ compiler: compiler.value, name, ...place.value }) : place;
}

/** Returns the module's name in a build: its file may have been renamed, by more than a hyphen. */
function builtName(module: KernelModule): string {
  const file = moduleFileName(module.file);
  const own = infoName(module);
  const isRenamed = file === undefined || (own !== undefined && plainName(file) !== plainName(own));
  return isRenamed ? (own ?? '') : file;
}

function realDirectory(path: string): string | undefined {
  try {
    const real = realpathSync(path);
    return statSync(real).isDirectory() ? real : undefined;
  } catch {
    return undefined;
  }
}

const noSource = "find the module's source";

type BuildPlace = Omit<BuildPlan, 'compiler' | 'name'>;

function inTree(
  module: KernelModule,
  tree: string,
  name: string,
  options: RebuildOptions,
): Result<BuildPlace, Problem> {
  const found =
    options.directory === undefined ? directoryInTree(tree, module.file) : ok(options.directory);
  if (!found.ok) return failed({ ...found.error, action: noSource });
  const directory = directoryToBuild(tree, found.value);
  const files = listSourceFiles(join(tree, directory));
  if (!files.ok) return files;
  const below = found.value.slice(directory.length).replace(/^\//, '');
  return ok({
    files: files.value,
    tree,
    dkms: undefined,
    place: `/source/${directory}`,
    prefixMap: '/source/=',
    target: below === '' ? `${name}.ko` : `${below}/${name}.ko`,
  });
}

const externalPlace = '/build/source';

function external(
  elf: Elf,
  source: string,
  name: string,
  options: RebuildOptions,
): Result<BuildPlace, Problem> {
  const found =
    options.directory === undefined ? directoryOfExternal(source, name) : ok(options.directory);
  const dkms = dkmsPlaceOf(source);
  // A script of dkms.conf may make the makefile.
  if (!found.ok && dkms === undefined) {
    return failed({ ...found.error, action: noSource });
  }
  const files = listSourceFiles(source);
  if (!files.ok) return files;
  const builtIn = buildDirectoryOf(elf, files.value.files);
  return ok({
    files: files.value,
    tree: undefined,
    dkms: dkms && { place: dkms, builtIn: builtIn === dkms.directory ? undefined : builtIn },
    place: found.ok ? join(externalPlace, found.value) : externalPlace,
    prefixMap: `${externalPlace}/=${builtIn === undefined ? '' : `${builtIn}/`}`,
    target: 'modules',
  });
}

const boundsOf = ({ unbounded }: JailResult): readonly string[] =>
  unbounded === undefined
    ? []
    : [`The memory and CPU of the build were limited per process, but not in total: ${unbounded}`];

function notesOf({ compiler, files }: BuildPlan): readonly string[] {
  const notes = compiler.note === undefined ? [] : [compiler.note];
  const { compiled } = files;
  if (compiled.length > 0) {
    const some = compiled.slice(0, 5).map(quoted).join(', ');
    notes.push(`The source has compiled code, which was left out of the build: ${some}`);
  }
  return notes;
}

/**
 * The build script. $1: headers, $2: directory to build, $3: pattern, the rest for make. Debug data
 * is removed as distributions do; it is not compared. BTF data is left out for the same reason, and
 * its generator need not be installed.
 */
const script = `
set -e
headers=$1 directory=$2 pattern=$3
shift 3
tar -xf - --no-same-owner --no-same-permissions --touch 2>/dev/null
make --no-print-directory -C "$headers" M="$directory" CONFIG_DEBUG_INFO_BTF_MODULES= "$@" </dev/null 2>&1
module=$(find "$directory" -type f -name "$pattern" | LC_ALL=C sort | head -n 1)
[ -n "$module" ] || { echo "The makefile builds no $pattern" >&2; exit 1; }
strip --strip-debug -o /tmp/stripped.ko "$module"
exec cat /tmp/stripped.ko >&3
`;

async function runBuild(
  plan: BuildPlan,
  build: KernelBuild,
  options: RebuildOptions,
): Promise<Result<JailResult, Problem>> {
  const { files, tree, dkms } = plan;
  const { limits, onLine, signal } = options;
  return runInJail({
    command: dkms === undefined ? plainCommand(plan, build) : commandOfDkms(plan, dkms, build),
    writable: dkms?.place.directory ?? (tree === undefined ? externalPlace : plan.place),
    mounts: [...mountsOf(build, tree), ...(dkms === undefined ? [] : sourceMounts(dkms.place))],
    input: archiveOf(files),
    ...(limits === undefined ? {} : { limits }),
    ...(onLine === undefined ? {} : { onLine }),
    ...(signal === undefined ? {} : { signal }),
  });
}

const jobs = Math.max(1, Math.min(cpus().length, 16));

function commandOfDkms(
  { compiler, name }: BuildPlan,
  { place, builtIn }: DkmsBuild,
  build: KernelBuild,
): readonly string[] {
  const variables = [
    `CC=${compiler.program}`,
    `HOSTCC=${compiler.program}`,
    'CONFIG_DEBUG_INFO_BTF_MODULES=',
    ...(builtIn === undefined
      ? []
      : [`KCFLAGS=-fmacro-prefix-map=${place.directory}/=${builtIn}/`]),
  ];
  return dkmsCommand({ place, build, module: name, jobs, variables });
}

function plainCommand(plan: BuildPlan, build: KernelBuild): readonly string[] {
  const { compiler, tree, place, prefixMap, target, name } = plan;
  const pattern = `${name.replaceAll(/[-_]/g, '[-_]')}.ko`;
  const make = [
    `-j${jobs}`,
    `CC=${compiler.program}`,
    `HOSTCC=${compiler.program}`,
    // A module may import from one that is built elsewhere; imports do not affect the comparison of
    // code.
    ...(tree === undefined ? ['KBUILD_MODPOST_WARN=1', 'KBUILD_EXTRA_SYMBOLS='] : []),
    `KCFLAGS=-fmacro-prefix-map=${prefixMap}`,
    target,
  ];
  return ['sh', '-c', script, 'sh', build.headers, place, pattern, ...make];
}

/**
 * Returns the mounts: the headers where their makefiles expect them, and the kernel's source around
 * the module's directory.
 */
function mountsOf(build: KernelBuild, tree: string | undefined): readonly SandboxMount[] {
  const emptyMount: SandboxMount = { from: undefined, to: '/usr/src' };
  if (tree === undefined) return [emptyMount, ...build.mounts, ...kernelMounts(build)];
  return [
    emptyMount,
    ...build.mounts.flatMap((mount) =>
      isMakefilesDirectory(mount.from) ? completed(mount.from, mount.to, tree) : [mount],
    ),
    { from: tree, to: '/source' },
  ];
}

const isMakefilesDirectory = (directory: string): boolean =>
  readdirSync(directory).includes('Makefile') && readdirSync(directory).includes('arch');

/**
 * Returns mounts that complete packages of headers with the tree's other directories: modules
 * include headers there by `$(srctree)`.
 */
function completed(from: string, to: string, tree: string): readonly SandboxMount[] {
  const there = readdirSync(from);
  const missing = readdirSync(tree, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !there.includes(entry.name))
    .map(({ name }) => ({ from: join(tree, name), to: join(to, name) }));
  const own = there.map((name) => ({ from: join(from, name), to: join(to, name) }));
  return [{ from: undefined, to }, ...own, ...missing];
}

/** Returns the built module, or why there is none. */
function moduleOf(run: JailResult, compiled: readonly string[]): Result<Elf, Problem> {
  const action = 'build the module';
  if (run.end.kind !== 'exit') return failed({ action, reason: `the build ${run.end.message}` });
  if (run.end.status !== 0) {
    const reason = `the build failed with status ${run.end.status}`;
    return compiled.length > 0
      ? failed({ action, reason, hint: 'it may need the compiled code that was left out' })
      : failed({ action, reason });
  }
  const elf = readElf(run.result);
  return elf.ok
    ? elf
    : failed({ action, reason: `the build gave a file that ${elf.error.message}` });
}
