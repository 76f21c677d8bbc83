/** The rules of a makefile, reduced to their names. */

/**
 * Returns the names that a rule makes a file from. A rule names the file from the build's
 * directory, in full, or only by its end.
 */
export function madeOf(
  rules: readonly {
    readonly targets: readonly string[];
    readonly prerequisites: readonly string[];
  }[],
  name: string,
): readonly string[] | undefined {
  for (const { targets, prerequisites } of rules) {
    for (const target of targets) {
      const [before = '', after] = target.split('%', 2);
      if (after === undefined ? target === name : fits(name, before, after)) {
        const stem =
          after === undefined ? '' : name.slice(before.length, name.length - after.length);
        return prerequisites.map((each) => each.replace('%', () => stem));
      }
    }
  }
  return undefined;
}

const fits = (name: string, before: string, after: string): boolean =>
  name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after);
