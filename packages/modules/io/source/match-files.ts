/** Offered source compared with modules: the files behind `matchSource`. */
import { join } from 'node:path';
import { readText } from '../../../base/io/read.ts';
import { definedFunctions, type DefinedFunctions } from '../../core/record/defined-functions.ts';
import { kernelEncoding, readElf } from '../../core/elf/read-elf.ts';
import type { KernelModule } from '../../core/record/module.ts';
import { parseAutoConf, parseUnset, type BuildContext } from '../../core/source/build-context.ts';
import { matchSource } from '../../core/source/match.ts';
import type { SourceMatch } from '../../core/source/match-result.ts';
import { OfferedSource } from '../../core/source/offered.ts';
import type { SourceTree } from '../../core/source/source-tree.ts';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import type { KernelBuild } from '../kernel/kernel-build.ts';
import { readAgain } from '../inputs/read-again.ts';
import { sourceDirectory } from './source-directory.ts';

interface MatchOptions {
  /**
   * The build of the kernel that the modules are for; without it, conditions in the source stay
   * undecided.
   */
  readonly build?: KernelBuild | undefined;
  /** A directory with files that a build generates, named as in the source. */
  readonly generated?: string | undefined;
}

const unreadable = 'it is not a directory that can be read';

/** Opens a directory of source, ready to be compared with any number of modules. */
export function openOffered(
  directory: string,
  options: MatchOptions = {},
): Result<OfferedSource, Problem> {
  const tree = sourceDirectory(directory);
  if (tree?.list('') === undefined)
    return failed({ action: 'read the source directory', object: directory, reason: unreadable });
  if (options.build === undefined) return ok(new OfferedSource(tree));
  const generated = openGenerated(options.generated);
  if (!generated.ok) return generated;
  const context = contextOf(options.build, generated.value);
  return context.ok ? ok(new OfferedSource(tree, context.value)) : context;
}

function openGenerated(directory: string | undefined): Result<SourceTree | undefined, Problem> {
  const tree = directory === undefined ? undefined : sourceDirectory(directory);
  return directory !== undefined && tree === undefined
    ? failed({ action: 'read the generated files in', object: directory, reason: unreadable })
    : ok(tree);
}

/**
 * Returns the parts of a kernel's headers that the comparison needs, wherever its package put them.
 */
export function contextOf(
  build: KernelBuild,
  generated: SourceTree | undefined,
): Result<BuildContext, Problem> {
  const headers = build.mounts[0]?.from ?? build.headers;
  const config =
    readText(join(headers, 'include/config/auto.conf')) ?? readText(join(headers, '.config'));
  if (config === undefined) {
    return failed({
      action: `read the configuration of kernel ${build.release} in`,
      object: headers,
      reason: 'it has neither include/config/auto.conf nor .config',
    });
  }
  const objectTree = sourceDirectory(headers);
  if (objectTree === undefined)
    return failed({ action: 'read the headers in', object: headers, reason: unreadable });
  const kernelTree = build.mounts
    .map(({ from }) => sourceDirectory(from))
    .find((tree) => tree?.list('include/linux')?.includes('kconfig.h') === true);
  return ok({
    release: build.release,
    config: parseAutoConf(config),
    unset: parseUnset(readText(join(headers, '.config')) ?? ''),
    objectTree,
    kernelTree,
    generated,
  });
}

/** Returns the functions of each module that can be read again; keys are the modules' files. */
export async function readFunctions(
  entries: readonly { readonly file: string; readonly sha256: string }[],
): Promise<ReadonlyMap<string, DefinedFunctions>> {
  const functions = new Map<string, DefinedFunctions>();
  for (const entry of entries) {
    const bytes = await readAgain(entry);
    const elf = bytes.ok ? readElf(bytes.value, kernelEncoding(bytes.value)) : bytes;
    if (elf.ok) functions.set(entry.file, definedFunctions(elf.value));
  }
  return functions;
}

/**
 * Matches one module after another, so that at most one module's sources are kept; keys are the
 * modules' files.
 */
export function matchAll(
  modules: Iterable<KernelModule>,
  offered: OfferedSource,
  progress: (done: number) => void = () => undefined,
  functions: ReadonlyMap<string, DefinedFunctions> = new Map(),
): ReadonlyMap<string, SourceMatch> {
  const matches = new Map<string, SourceMatch>();
  for (const module of modules) {
    matches.set(module.file, matchSource(module, offered, functions.get(module.file)));
    offered.forgetContents();
    progress(matches.size);
  }
  return matches;
}
