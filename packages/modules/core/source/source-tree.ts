/**
 * Offered source as a tree of files, and the names under which a build sees it.
 *
 * A build does not see one tree: sources have an absolute name, generated files a relative one,
 * and srcversion depends on those spellings. `PathSpace` maps a spelling to a file of a tree.
 */

/**
 * Read-only files below one root. Paths are relative to it, without `.` and `..`; the root is ''.
 */
export interface SourceTree {
  /**
   * Lists the names in a directory, directories with `/` at their end; undefined when there is no
   * such directory.
   */
  list(directory: string): readonly string[] | undefined;
  /** Reads a file; undefined when there is no such file, or it may not be read. */
  read(path: string): Uint8Array | undefined;
}

/** Returns a path without `.`, `..` and doubled slashes; undefined when it leads outside. */
export function resolvePath(path: string): string | undefined {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

/** Returns the directory with its slash: `a/b/c.h` gives `a/b/`, `c.h` gives ''. */
export const directoryWithSlash = (path: string): string =>
  path.slice(0, path.lastIndexOf('/') + 1);
export const baseNameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
export const joinPath = (...parts: readonly string[]): string =>
  parts.filter((part) => part !== '').join('/');

/** Bytes as characters, one each: file names and directives do not need more. */
const latin1 = new TextDecoder('latin1');

const bytesReadMax = 4 * 1024 * 1024;

const keptOfFiles: ReadonlySet<string> = new Set(['directives', 'closed terms']);

/** A tree that reads each file of the tree below it only once. */
export class CachedTree {
  readonly #tree: SourceTree;
  readonly #directories = new Map<string, ReadonlySet<string> | undefined>();
  readonly #bytes = new Map<string, Uint8Array | undefined>();
  readonly #derived = new Map<string, Map<string, unknown>>();

  constructor(tree: SourceTree) {
    this.#tree = tree;
  }

  names(directory: string): ReadonlySet<string> | undefined {
    if (!this.#directories.has(directory)) {
      const names = this.#tree.list(directory);
      this.#directories.set(directory, names === undefined ? undefined : new Set(names));
    }
    return this.#directories.get(directory);
  }

  hasFile(path: string): boolean {
    return this.names(directoryWithSlash(path).slice(0, -1))?.has(baseNameOf(path)) === true;
  }

  hasDirectory(path: string): boolean {
    if (path === '') return this.names('') !== undefined;
    return this.names(directoryWithSlash(path).slice(0, -1))?.has(`${baseNameOf(path)}/`) === true;
  }

  /** Reads a file; undefined also for a file that is too large to be source. */
  read(path: string): Uint8Array | undefined {
    if (!this.#bytes.has(path)) {
      const bytes = this.hasFile(path) ? this.#tree.read(path) : undefined;
      this.#bytes.set(path, bytes !== undefined && bytes.length > bytesReadMax ? undefined : bytes);
    }
    return this.#bytes.get(path);
  }

  text(path: string): string | undefined {
    const bytes = this.read(path);
    return bytes === undefined ? undefined : latin1.decode(bytes);
  }

  /** Returns what `make` derives from a file's bytes, computed once for this name. */
  derived<T>(what: string, path: string, make: (bytes: Uint8Array) => T): T | undefined {
    let made = this.#derived.get(what);
    if (made === undefined) this.#derived.set(what, (made = new Map()));
    if (made.has(path)) return made.get(path) as T | undefined;
    const bytes = this.read(path);
    const value = bytes === undefined ? undefined : make(bytes);
    made.set(path, value);
    return value;
  }

  /**
   * Forgets contents but not names: many modules share directories, few share sources. Results
   * derived from shared headers are kept.
   */
  forgetContents(): void {
    this.#bytes.clear();
    for (const [what, made] of this.#derived) if (!keptOfFiles.has(what)) made.clear();
  }
}

export const textOfSource = (bytes: Uint8Array): string => latin1.decode(bytes);

/** A file of a tree. */
export interface LocatedFile {
  readonly tree: CachedTree;
  readonly path: string;
}

interface Mount {
  /** The prefix: '' for relative names, otherwise absolute and ending in `/`. */
  readonly prefix: string;
  readonly tree: CachedTree;
  /** A suffix added to the name of the file: `_shipped`. */
  readonly suffix: string;
}

/** A map from spellings to files; the first mount that has the file counts. */
export class PathSpace {
  readonly #mounts: Mount[] = [];
  readonly #files = new Map<string, LocatedFile | undefined>();

  mount(prefix: string, tree: CachedTree, suffix = ''): this {
    this.#mounts.push({ prefix, tree, suffix });
    return this;
  }

  file(spelling: string): LocatedFile | undefined {
    if (this.#files.has(spelling)) return this.#files.get(spelling);
    const found = this.#find(spelling);
    this.#files.set(spelling, found);
    return found;
  }

  #find(spelling: string): LocatedFile | undefined {
    for (const [mount, path] of this.#candidates(spelling)) {
      const name = path + mount.suffix;
      if (mount.tree.hasFile(name)) return { tree: mount.tree, path: name };
    }
    return undefined;
  }

  hasDirectory(spelling: string): boolean {
    for (const [mount, path] of this.#candidates(spelling)) {
      if (mount.tree.hasDirectory(path)) return true;
    }
    return false;
  }

  *#candidates(spelling: string): Generator<readonly [Mount, string]> {
    const absolute = spelling.startsWith('/');
    const resolved = resolvePath(spelling);
    if (resolved === undefined) return;
    for (const mount of this.#mounts) {
      if (absolute !== mount.prefix.startsWith('/')) continue;
      const full = `${absolute ? '/' : ''}${resolved}`;
      if (full.startsWith(mount.prefix)) yield [mount, full.slice(mount.prefix.length)];
      else if (`${full}/` === mount.prefix) yield [mount, ''];
    }
  }
}
