/** The objects that the makefile links into a module, each with its source. */
import type { OfferedSource, ObjectSource } from './offered.ts';
import type { Recipe } from './recipe.ts';

/** An object of the makefile's list. */
export interface LinkedObject {
  readonly object: string;
  readonly source: ObjectSource | undefined;
  /** The file that a missing source would be generated from. */
  readonly generator: string | undefined;
}

export const linkedObjects = (recipe: Recipe, offered: OfferedSource): readonly LinkedObject[] =>
  recipe.objects.map((object) => {
    if (!object.endsWith('.o')) return { object, source: undefined, generator: undefined };
    const source = offered.sourceOf(recipe, object);
    const generator = source === undefined ? offered.generatorOf(recipe, object) : undefined;
    return { object, source, generator };
  });

/**
 * Returns how many objects every build adds: `NAME.mod.o`, and since Linux 6.12 `.module-common.o`;
 * both numbers if the release is unknown.
 */
export function addedObjects(vermagic: string): readonly number[] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(vermagic) ?? [];
  if (major === undefined) return [2, 1];
  const release = Number(major) * 1000 + Number(minor);
  return [release >= 6012 ? 2 : 1];
}
