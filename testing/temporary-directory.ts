/** Directories of tests, which are removed with everything in them. */
import { mkdtempDisposableSync, type DisposableTempDir } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/**
 * Makes a directory for a scope: `using scratch = temporaryDirectory('jail')`. Hooks and stages, which have no scope,
 * call `remove()`.
 */
export const temporaryDirectory = (name: string, parent: string = tmpdir()): DisposableTempDir =>
  mkdtempDisposableSync(join(parent, `bulkhead-${name}-`));

/**
 * Makes a directory for the file, suite or test that calls it, and returns its path. A hook cannot call it: Node would
 * remove the directory at the end of the hook.
 */
export function suiteDirectory(name: string, parent?: string): string {
  const directory = temporaryDirectory(name, parent);
  after(() => directory.remove());
  return directory.path;
}
