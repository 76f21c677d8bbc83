/** The rules of a makefile, of which only the names are kept. */

/**
 * What a rule makes a file of. A rule names it from the directory of the build, in full, or by its
 * end alone.
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
