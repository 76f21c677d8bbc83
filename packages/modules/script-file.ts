/** Scripts of this package that run as threads of their own. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Returns the path of a script: `scriptFile('io/scan/reader-thread')`. This file lies in the package's
 * directory, and a build puts shared code beside `modules/`, so that the path is right for both.
 */
export const scriptFile = (path: string): string =>
  fileURLToPath(new URL(`../modules/${path}${extname(import.meta.url)}`, import.meta.url));
