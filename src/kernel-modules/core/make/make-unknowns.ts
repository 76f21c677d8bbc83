/** What a makefile depends on and nobody knows, or what makes it no makefile to go on with. */

/** A makefile that asks for more than a build needs. */
export class MakefileError extends Error {}

/** What values depend on and nobody knows: `$(NAME)` that nothing sets, or a command. */
export type Unknowns = ReadonlySet<string>;
export const nothing: Unknowns = new Set();

/** A reader needs few examples of what is not known. */
export const unknownsMax = 20;

export function union(...sets: readonly (Unknowns | undefined)[]): Unknowns {
  const some = sets.filter((each) => each !== undefined && each.size > 0);
  if (some.length < 2) return some[0] ?? nothing;
  return new Set(some.flatMap((each) => [...each!]).slice(0, unknownsMax));
}
