/**
 * Whether offered source is the source of a module, as far as can be decided without building it.
 * It compares srcversion, the list of objects and their compilers, and the licenses in the files.
 *
 * A match of srcversion makes the source consistent with the module and proves nothing. Anybody can
 * write that text into a module. It covers neither headers of other directories nor flags, and an
 * object without source adds nothing to it. Only a rebuild proves.
 */
import { withoutSuffix } from '../record/module-file.ts';
import type { DefinedFunctions } from '../record/defined-functions.ts';
import { modinfo, modinfoAll, type KernelModule } from '../record/module.ts';
import { SourceComparison } from './comparison.ts';
import type { SourceMatch } from './match-result.ts';
import type { Recipe } from './recipe.ts';
import type { OfferedSource } from './offered.ts';
import { baseNameOf } from './source-tree.ts';

/**
 * Compares a module with the offered tree. Returns the result for the first directory that is
 * consistent with the module, else the likeliest.
 *
 * `functions` are the functions that the module defines (`definedFunctions`). Without them names
 * are not compared, and only the source of a whole kernel can be consistent.
 */
export function matchSource(
  module: KernelModule,
  offered: OfferedSource,
  functions?: DefinedFunctions,
): SourceMatch {
  const recipes = recipesFor(module, offered);
  const first = recipes[0];
  if (first === undefined) return unknownModule(module, offered);
  let best: SourceMatch | undefined;
  for (const recipe of recipes) {
    const match = new SourceComparison(module, offered, recipe, functions).match();
    if (match.outcome === 'consistent') return match;
    best ??= match;
  }
  return best!;
}

/**
 * Returns a module's place and name: for `…/kernel/drivers/net/dummy.ko.xz` the place is
 * `drivers/net/dummy`.
 */
export function treePlaceOf(file: string): {
  readonly place: string | undefined;
  readonly name: string;
} {
  const bare = withoutSuffix(file);
  const inTree = /(?:^|\/)kernel\/(.+)$/.exec(bare)?.[1];
  return { place: inTree, name: baseNameOf(bare) };
}

function recipesFor(module: KernelModule, offered: OfferedSource): readonly Recipe[] {
  const { place, name } = treePlaceOf(module.file);
  if (offered.kind === 'kernel' && place !== undefined) {
    const recipe = offered.kbuild.recipeAt(place);
    if (recipe !== undefined) return [recipe];
  }
  const found = offered.kbuild.recipesNamed(name);
  const claimed = modinfo(module, 'name') ?? name;
  return found.length > 0 ? found : offered.kbuild.recipesNamed(claimed);
}

function unknownModule(module: KernelModule, offered: OfferedSource): SourceMatch {
  const { name } = treePlaceOf(module.file);
  const message = `No makefile of the offered source builds "${name}.ko"`;
  return {
    outcome: 'undecided',
    directory: undefined,
    srcversion: {
      claimed: modinfo(module, 'srcversion'),
      computed: undefined,
      method: undefined,
      files: [],
    },
    objects: [],
    compilers: { inModule: module.observations.compilers.length, inMakefile: undefined },
    suspectFiles: [],
    reasons: [message, ...offered.kbuild.problems.map((each) => `Makefile ${each}`)],
    license: {
      claimed: modinfoAll(module, 'license'),
      declared: [],
      spdx: new Map(),
      contradictions: [],
      closedTerms: [],
    },
  };
}
