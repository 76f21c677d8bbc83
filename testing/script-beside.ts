/** Scripts that tests start besides the program. */
import { basename, extname, join } from 'node:path';

/**
 * Returns the file of a script by its path without extension, as an import from `meta` would have it: a source, or what
 * `copyBundled` has put next to a bundled test.
 */
export function scriptBeside(meta: ImportMeta, path: string): string {
  const extension = extname(meta.filename);
  return join(meta.dirname, `${extension === '.ts' ? path : basename(path)}${extension}`);
}
