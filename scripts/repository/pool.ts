/** Packages on their way into a repository, and files that clients may still be reading. */
import { existsSync, globSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { publish } from '../package/places.ts';

export interface FoundPackages {
  readonly debs: readonly string[];
  readonly rpms: readonly string[];
}

/** Finds packages in a directory; without one, the metadata is only signed again. */
export function foundPackages(directory: string | undefined): FoundPackages {
  if (directory === undefined) return { debs: [], rpms: [] };
  const paths = globSync('*.{deb,rpm}', { cwd: directory }).sort();
  if (paths.length === 0) throw new Error(`${directory} has no packages; run npm run package`);
  // Clients are told to take nothing else from this repository.
  const other = paths.find((each) => !/^bulkhead[-_]/.test(each));
  if (other !== undefined) throw new Error(`${other} in ${directory} is not a package of Bulkhead`);
  const ending = (suffix: string) =>
    paths.filter((each) => each.endsWith(suffix)).map((each) => join(directory, each));
  return { debs: ending('.deb'), rpms: ending('.rpm') };
}

/**
 * Adds a package, unless it is there. A file that clients know by its digest is never replaced: `isSame` compares the
 * two, and another one has to have another version.
 */
export async function addToPool(
  pool: string,
  file: string,
  isSame: (there: string) => boolean | Promise<boolean>,
): Promise<string> {
  mkdirSync(pool, { recursive: true });
  const there = join(pool, basename(file));
  if (!existsSync(there)) return publish(file, pool);
  if (await isSame(there)) return there;
  throw new Error(
    `${there} was published with other content; a changed package needs a higher version`,
  );
}

/** The number of files that stay for clients that began to read with older metadata. */
const keptFiles = 24;

/** Removes the oldest files of a directory, except some, and except those that are named. */
export function removeOldest(directory: string, named: ReadonlySet<string>): void {
  const others = readdirSync(directory)
    .filter((name) => !named.has(name))
    .map((name) => ({ path: join(directory, name), date: statSync(join(directory, name)).mtimeMs }))
    .sort((a, b) => b.date - a.date);
  for (const { path } of others.slice(keptFiles)) rmSync(path);
}
