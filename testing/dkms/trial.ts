/**
 * The decisions about the modules of one DKMS package: with its own source, with that source altered, with the source
 * of another version, and by building it again.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  definedFunctions,
  type DefinedFunctions,
} from '../../packages/modules/core/record/defined-functions.ts';
import { readElf } from '../../packages/modules/core/elf/read-elf.ts';
import type { Elf } from '../../packages/modules/core/elf/elf.ts';
import { bareName } from '../../packages/modules/core/record/module-file.ts';
import type { KernelModule } from '../../packages/modules/core/record/module.ts';
import { readModule } from '../../packages/modules/core/record/read-module.ts';
import type { BuildContext } from '../../packages/modules/core/source/build-context.ts';
import { matchSource } from '../../packages/modules/core/source/match.ts';
import type { SourceMatch } from '../../packages/modules/core/source/match-result.ts';
import { OfferedSource } from '../../packages/modules/core/source/offered.ts';
import type { SourceTree } from '../../packages/modules/core/source/source-tree.ts';
import type { KernelBuild } from '../../packages/modules/io/kernel/kernel-build.ts';
import { contextOf } from '../../packages/modules/io/source/match-files.ts';
import { rebuild } from '../../packages/modules/io/rebuild/rebuild.ts';
import { sourceDirectory } from '../../packages/modules/io/source/source-directory.ts';
import { alteredTree, withLetterChanged } from './altered-tree.ts';
import { modulesDirectory } from './build.ts';
import type { DkmsSource } from './packages.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { makeJailCgroup } from '../../src/modules/io/sandbox-cgroup.ts';

export const questions = [
  'right source',
  'changed line',
  'changed header',
  'removed file',
  'another version',
  'rebuilt from the right source',
] as const;
type Question = (typeof questions)[number];

export interface TrialResponse {
  readonly package: string;
  readonly module: string;
  readonly question: Question;
  readonly outcome: SourceMatch['outcome'] | 'reproduced';
  readonly why: string;
}

interface TrialOptions {
  readonly source: DkmsSource;
  readonly other: DkmsSource | undefined;
  /** The directory in which `buildByDkms` put the modules. */
  readonly built: string;
  readonly build: KernelBuild;
  /** The number of modules to rebuild; all of a package take the same build. */
  readonly rebuildsMax: number;
}

export async function tryPackage(options: TrialOptions): Promise<readonly TrialResponse[]> {
  const { source, built, build } = options;
  const context = contextOf(build, undefined);
  if (!context.ok) throw new Error(formatProblem(context.error));
  const trial = new Trial(options, context.value);
  const answers: TrialResponse[] = [];
  const directory = modulesDirectory(built, source, build.release);
  for (const [index, name] of globSync('*.ko', { cwd: directory }).sort().entries()) {
    answers.push(...(await trial.module(join(directory, name), index < options.rebuildsMax)));
  }
  return answers;
}

class Trial {
  readonly #options: TrialOptions;
  readonly #context: BuildContext;
  readonly #tree: SourceTree;
  readonly #own: OfferedSource;
  readonly #other: OfferedSource | undefined;

  constructor(options: TrialOptions, context: BuildContext) {
    const { source, other } = options;
    this.#options = options;
    this.#context = context;
    this.#tree = sourceDirectory(source.directory)!;
    this.#own = new OfferedSource(this.#tree, context);
    this.#other = other && new OfferedSource(sourceDirectory(other.directory)!, context);
  }

  async module(file: string, rebuilds: boolean): Promise<readonly TrialResponse[]> {
    const bytes = readFileSync(file);
    const [read, elf] = [readModule(file, bytes), readElf(bytes)];
    if (!read.ok || !elf.ok) throw new Error(`Cannot read ${file}`);
    const functions = definedFunctions(elf.value);
    const own = matchSource(read.value, this.#own, functions);
    const answers = [
      this.#answer(file, 'right source', own),
      ...this.#altered(file, read.value, functions, own),
    ];
    if (this.#other !== undefined) {
      const match = matchSource(read.value, this.#other, functions);
      answers.push(this.#answer(file, 'another version', match));
    }
    if (rebuilds) answers.push(await this.#rebuilt(file, read.value, elf.value));
    return answers;
  }

  #answer(file: string, question: Question, match: SourceMatch): TrialResponse {
    const { outcome, reasons } = match;
    const { source } = this.#options;
    const [why = ''] = reasons;
    return { package: source.package, module: bareName(file), question, outcome, why };
  }

  /** Alters the first file of each kind that counts. */
  *#altered(
    file: string,
    module: KernelModule,
    functions: DefinedFunctions,
    { objects, srcversion }: SourceMatch,
  ): Generator<TrialResponse> {
    const sources = objects.flatMap(({ source }) => source ?? []);
    const headers = srcversion.files.filter((each) => each.endsWith('.h'));
    const changed = (path: string) => {
      const bytes = this.#tree.read(path);
      const content = bytes === undefined ? undefined : withLetterChanged(bytes);
      return content === undefined ? undefined : alteredTree(this.#tree, path, content);
    };
    const trees: readonly (readonly [Question, SourceTree | undefined])[] = [
      ['changed line', sources.map(changed).find((each) => each !== undefined)],
      ['changed header', headers.map(changed).find((each) => each !== undefined)],
      [
        'removed file',
        sources[0] === undefined ? undefined : alteredTree(this.#tree, sources[0], undefined),
      ],
    ];
    for (const [question, tree] of trees) {
      if (tree === undefined) continue;
      const offered = new OfferedSource(tree, this.#context);
      yield this.#answer(file, question, matchSource(module, offered, functions));
    }
  }

  async #rebuilt(file: string, module: KernelModule, elf: Elf): Promise<TrialResponse> {
    const { source, build } = this.#options;
    const result = await rebuild(module, elf, source.directory, build, {
      makeCgroup: makeJailCgroup,
    });
    const why =
      result.outcome === 'undecided'
        ? [result.reason, ...result.errors].join('; ')
        : (result.comparison.differences[0]?.message ?? '');
    const question = 'rebuilt from the right source';
    const { outcome } = result;
    return { package: source.package, module: bareName(file), question, outcome, why };
  }
}

/**
 * Compares an answer with an honest and able judge's; a wrong one accuses, or is deceived. Another version that is
 * consistent has the same code: srcversion is a digest of it.
 */
export function verdictOn({ question, outcome }: TrialResponse): 'right' | 'wrong' | 'undecided' {
  if (outcome === 'undecided') return 'undecided';
  const isOwn = question === 'right source' || question === 'rebuilt from the right source';
  if (question === 'another version') return 'right';
  return (outcome === 'differs') === isOwn ? 'wrong' : 'right';
}
