/**
 * The srcversion of offered source, computed in several ways, cheap ones first, until one matches
 * the module's statement.
 */
import { PreprocessorError, Work } from '../preprocessor/macros.ts';
import type { LinkedObject } from './linked-objects.ts';
import { relativeNames, type Inputs, type OfferedSource } from './offered.ts';
import type { Recipe } from './recipe.ts';
import { srcversionDigest, hashedFiles, normalised, sameSrcversion } from './srcversion.ts';

const includesMax = 2_000_000;
const hashedBytesMax = 512 * 1024 * 1024;

export interface Attempt {
  readonly method: 'text' | 'preprocessor';
  readonly inputs: readonly Inputs[];
  readonly files: readonly string[];
  /** The digest; undefined when there is nothing to compare it with, or too much to hash. */
  readonly digest: string | undefined;
}

export class SrcversionAttempts {
  readonly #claimed: string | undefined;
  readonly #offered: OfferedSource;
  readonly #recipe: Recipe;
  readonly #linked: readonly LinkedObject[];
  #preprocessorProblem: string | undefined;

  constructor(
    claimed: string | undefined,
    offered: OfferedSource,
    recipe: Recipe,
    linked: readonly LinkedObject[],
  ) {
    this.#claimed = claimed;
    this.#offered = offered;
    this.#recipe = recipe;
    this.#linked = linked;
  }

  /** The reason why the exact way failed; undefined when it did not. */
  get preprocessorProblem(): string | undefined {
    return this.#preprocessorProblem;
  }

  matches(attempt: Attempt): boolean {
    const { digest } = attempt;
    if (this.#claimed === undefined || digest === undefined) return false;
    return sameSrcversion(this.#claimed, digest);
  }

  /** Tries cheap ways, then exact ones, until one matches. */
  all(): readonly Attempt[] {
    const attempts: Attempt[] = [];
    const sources = this.#linked.flatMap(({ object, source }) =>
      source === undefined ? [] : [{ object, source }],
    );
    const budget = { left: includesMax };
    const textual = sources.map(({ object, source }) =>
      this.#offered.textual(this.#recipe, object, source, budget),
    );
    for (const attempt of this.#spellings('text', textual)) {
      attempts.unshift(attempt);
      if (this.matches(attempt)) return attempts;
    }
    if (this.#claimed === undefined || this.#offered.context === undefined) return attempts;
    try {
      const work = new Work();
      const exact = sources.map(({ object, source }) =>
        this.#offered.preprocessed(this.#recipe, object, source, work),
      );
      attempts.push(...[...this.#spellings('preprocessor', exact)].reverse());
    } catch (error) {
      if (!(error instanceof PreprocessorError)) throw error;
      this.#preprocessorProblem = error.message;
    }
    return attempts;
  }

  *#spellings(method: Attempt['method'], inputs: readonly Inputs[]): Generator<Attempt> {
    yield this.#attempt(method, inputs, hashedFiles(inputs));
    if (this.#offered.kind === 'kernel') return;
    // A build inside the module's directory names objects without a directory, and so counts fewer
    // headers.
    const directory = this.#offered.kbuild.sourceName(this.#recipe.directory);
    const short = hashedFiles(inputs.map((each) => relativeNames(each, directory)));
    const files = short.map((each) => (each.startsWith('/') ? each : `${directory}/${each}`));
    yield this.#attempt(method, inputs, files);
  }

  #attempt(
    method: Attempt['method'],
    inputs: readonly Inputs[],
    files: readonly string[],
  ): Attempt {
    if (this.#claimed === undefined) return { method, inputs, files, digest: undefined };
    const contents = this.contents(files);
    const bytes = contents.reduce((sum, each) => sum + each.length, 0);
    const digest = bytes > hashedBytesMax ? undefined : srcversionDigest(contents);
    return { method, inputs, files, digest };
  }

  contents(files: readonly string[]): readonly Uint8Array[] {
    return files.flatMap((each) => {
      const file = this.#offered.locate(each);
      return (file === undefined ? undefined : normalised(file)) ?? [];
    });
  }
}
