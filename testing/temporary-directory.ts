/** Directories of tests, which are removed with everything in them. */
import { chmodSync, mkdtempDisposableSync, rmSync, type DisposableTempDir } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type SuiteContext, type TestContext } from 'node:test';
import { errnoOf } from '../packages/base/io/errno.ts';

/**
 * Makes a directory for a scope: `using scratch = temporaryDirectory('jail')`. Stages, which have no scope, call
 * `remove()`. Only the test's own account may use the directory, unless there is a mode.
 */
export function temporaryDirectory(
  name: string,
  parent: string = tmpdir(),
  mode?: number,
): DisposableTempDir {
  const directory = mkdtempDisposableSync(join(parent, `bulkhead-${name}-`));
  if (mode !== undefined) chmodSync(directory.path, mode);
  return directory;
}

/**
 * Makes a directory for the file, suite or test that calls it, and returns its path. A hook cannot call it: Node would
 * remove the directory at the end of the hook.
 */
export function suiteDirectory(name: string, parent?: string, mode?: number): string {
  const directory = temporaryDirectory(name, parent, mode);
  after(() => removeInUse(directory.path));
  return directory.path;
}

/** Removes a directory in which a server may still make files: hooks run in their order, and its own comes later. */
function removeInUse(path: string): void {
  for (let attempt = 1; ; attempt++)
    try {
      rmSync(path, { recursive: true, force: true });
      return;
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY' || attempt === removalsMax) throw error;
    }
}

const removalsMax = 100;

/**
 * Makes a directory for each test, and returns its path: `beforeEach((t) => { root = testDirectory(t, 'deny'); })`. It
 * is removed after the hooks of `afterEach`.
 */
export function testDirectory(
  context: TestContext | SuiteContext,
  name: string,
  parent?: string,
): string {
  if (!('after' in context)) throw new Error('only a test has a directory of its own');
  const directory = temporaryDirectory(name, parent);
  context.after(() => directory.remove());
  return directory.path;
}
