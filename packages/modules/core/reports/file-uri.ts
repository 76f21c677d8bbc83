/** URIs of files, as RFC 3986 and RFC 8089 have them. */

/**
 * Percent-encodes a path; the slashes stay. A lone surrogate, which no URI can hold, becomes
 * U+FFFD.
 */
const encodePath = (path: string): string =>
  path
    .split('/')
    .map((each) => encodeURIComponent(each.toWellFormed()))
    .join('/');

/** Returns the URI of an absolute directory, with a slash at the end. */
export const directoryUri = (directory: string): string =>
  `file://${encodePath(directory.endsWith('/') ? directory : `${directory}/`)}`;

interface FileLocation {
  readonly uri: string;
  /** Whether the URI counts from the root. */
  readonly relative: boolean;
}

/** Returns the file's URI: relative to the root if the file is below it or is relative already. */
export function locate(file: string, root: string): FileLocation {
  const directory = root.endsWith('/') ? root : `${root}/`;
  if (file.startsWith(directory) && file.length > directory.length)
    return { uri: encodePath(file.slice(directory.length)), relative: true };
  if (file.startsWith('/')) return { uri: `file://${encodePath(file)}`, relative: false };
  return { uri: encodePath(file), relative: true };
}
