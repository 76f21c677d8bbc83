/** What a makefile depends on that is not known, or what makes it unusable. */

/** A makefile that takes more than a build needs. */
export class MakefileError extends Error {}

/** What values depend on that is not known: `$(NAME)` that nothing sets, or a command. */
export type Unknowns = ReadonlySet<string>;
export const nothing: Unknowns = new Set();

/** A reader needs few examples of what is not known. */
export const unknownsMax = 20;

export function union(...sets: readonly (Unknowns | undefined)[]): Unknowns {
  const some = sets.filter((each) => each !== undefined && each.size > 0);
  if (some.length < 2) return some[0] ?? nothing;
  return new Set(some.flatMap((each) => [...each!]).slice(0, unknownsMax));
}
