/** Unknown facts that a makefile depends on, or errors that make it unusable. */

/** An error about a makefile that takes more than a build needs. */
export class MakefileError extends Error {}

/** Unknown facts that values depend on: `$(NAME)` that nothing sets, or a command. */
export type Unknowns = ReadonlySet<string>;
export const nothing: Unknowns = new Set();

/** The most unknown facts that are kept: a reader needs few examples. */
export const unknownsMax = 20;

export function union(...sets: readonly (Unknowns | undefined)[]): Unknowns {
  const some = sets.filter((each) => each !== undefined && each.size > 0);
  if (some.length < 2) return some[0] ?? nothing;
  return new Set(some.flatMap((each) => [...each!]).slice(0, unknownsMax));
}
