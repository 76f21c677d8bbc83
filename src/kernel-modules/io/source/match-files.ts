/** Offered source compared with modules: the files behind `matchSource`. */
import { join } from 'node:path';
import { quoted } from '../../../sys/errno.ts';
import { readText } from '../../../sys/files/read.ts';
import { definedFunctions } from '../../core/record/defined-functions.ts';
import { kernelEncoding, readElf } from '../../core/elf/elf.ts';
import type { KernelModule } from '../../core/record/module.ts';
import { parseConfig, parseUnset, type BuildContext } from '../../core/source/build-context.ts';
import { matchSource, type Match } from '../../core/source/match.ts';
import { OfferedSource } from '../../core/source/offered.ts';
import type { SourceTree } from '../../core/source/source-tree.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import type { KernelBuild } from '../kernel/kernel-build.ts';
import { readAgain } from '../inputs/read-again.ts';
import { sourceDirectory } from './source-directory.ts';

export interface MatchOptions {
  /** Of the kernel that the modules are for; without it, conditions in the source stay open. */
  readonly build?: KernelBuild | undefined;
  /** A directory with files that a build generates, named as in the source. */
  readonly generated?: string | undefined;
}

/** A directory of source, ready to be compared with any number of modules. */
export function openOffered(directory: string, options: MatchOptions = {}): Result<OfferedSource> {
  const tree = sourceDirectory(directory);
  if (tree?.list('') === undefined)
    return fail(`Cannot read the source directory ${quoted(directory)}`);
  if (options.build === undefined) return ok(new OfferedSource(tree));
  const generated = openGenerated(options.generated);
  if (!generated.ok) return generated;
  const context = contextOf(options.build, generated.value);
  return context.ok ? ok(new OfferedSource(tree, context.value)) : context;
}

function openGenerated(directory: string | undefined): Result<SourceTree | undefined> {
  const tree = directory === undefined ? undefined : sourceDirectory(directory);
  return directory !== undefined && tree === undefined
    ? fail(`Cannot read the directory of generated files ${quoted(directory)}`)
    : ok(tree);
}

/** What the comparison needs of a kernel's headers, wherever its package put their parts. */
export function contextOf(
  build: KernelBuild,
  generated: SourceTree | undefined,
): Result<BuildContext> {
  const headers = build.mounts[0]?.from ?? build.headers;
  const config =
    readText(join(headers, 'include/config/auto.conf')) ?? readText(join(headers, '.config'));
  if (config === undefined) {
    return fail(`Cannot read the configuration of kernel ${build.release} in ${quoted(headers)}`);
  }
  const objectTree = sourceDirectory(headers);
  if (objectTree === undefined) return fail(`Cannot read ${quoted(headers)}`);
  const kernelTree = build.mounts
    .map(({ from }) => sourceDirectory(from))
    .find((tree) => tree?.list('include/linux')?.includes('kconfig.h') === true);
  return ok({
    release: build.release,
    config: parseConfig(config),
    unset: parseUnset(readText(join(headers, '.config')) ?? ''),
    objectTree,
    kernelTree,
    generated,
  });
}

/** The functions that modules define, of those that can be read again; keys are the modules' files. */
export async function readFunctions(
  entries: readonly { readonly file: string; readonly sha256: string }[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const functions = new Map<string, readonly string[]>();
  for (const entry of entries) {
    const bytes = await readAgain(entry);
    const elf = bytes.ok ? readElf(bytes.value, kernelEncoding(bytes.value)) : bytes;
    const names = elf.ok ? definedFunctions(elf.value) : [];
    if (names.length > 0) functions.set(entry.file, names);
  }
  return functions;
}

/** One after another, so that at most one module's sources are kept; keys are the modules' files. */
export function matchAll(
  modules: Iterable<KernelModule>,
  offered: OfferedSource,
  progress: (done: number) => void = () => undefined,
  functions: ReadonlyMap<string, readonly string[]> = new Map(),
): ReadonlyMap<string, Match> {
  const matches = new Map<string, Match>();
  for (const module of modules) {
    matches.set(module.file, matchSource(module, offered, functions.get(module.file)));
    offered.forgetContents();
    progress(matches.size);
  }
  return matches;
}
