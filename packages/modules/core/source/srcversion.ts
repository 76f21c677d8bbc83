/**
 * `srcversion`, which modpost writes into modules that have a version. It is the digest over the
 * sources of the linked objects, and over headers in an object's own directory. Source:
 * scripts/mod/sumversion.c of the kernel.
 */
import { Md4 } from './md4.ts';
import { normalise } from './normalise.ts';
import { directoryWithSlash, type LocatedFile } from './source-tree.ts';

/** The digits that modinfo shows of the 32: the field of the build has room for 23 and an end. */
export const srcversionDigits = 23;

/**
 * Whether modpost counts a file. The directory of the object, as text, must occur in the file's
 * name, and its first occurrence must end with the last `/`. So `include/net/bluetooth/hci.h`
 * counts for `net/bluetooth/`, and nothing does for an object without a directory.
 */
export function counts(dependency: string, objectDirectory: string): boolean {
  if (objectDirectory === '') return false;
  const first = dependency.indexOf(objectDirectory);
  return first >= 0 && first + objectDirectory.length - 1 === dependency.lastIndexOf('/');
}

/**
 * The files that a build read to make one object; names as the compiler spelled them, in the order
 * it opened them.
 */
export interface ObjectInputs {
  /** `drivers/net/foo/bar.o`. */
  readonly object: string;
  readonly source: string;
  readonly dependencies: readonly string[];
}

/** Returns the names of the files that go into the digest, in order, repetitions included. */
export function hashedFiles(objects: readonly ObjectInputs[]): readonly string[] {
  return objects.flatMap(({ object, source, dependencies }) => {
    const directory = directoryWithSlash(object);
    return [source, ...dependencies.filter((each) => each !== source && counts(each, directory))];
  });
}

export const normalised = (file: LocatedFile): Uint8Array | undefined =>
  file.tree.derived('normalised', file.path, normalise);

/** Returns 32 digits. */
export function srcversionDigest(files: Iterable<Uint8Array>): string {
  const md4 = new Md4();
  for (const file of files) md4.update(file);
  return md4.hex();
}

/**
 * Whether a claim agrees with a digest. It may be cut off, as modinfo has it, but never so short
 * that chance could match it.
 */
export const sameSrcversion = (claimed: string, digest: string): boolean =>
  claimed.length >= srcversionDigits && digest.startsWith(claimed.toUpperCase());
