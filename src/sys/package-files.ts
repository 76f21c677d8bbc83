/**
 * Where the package's files are. This file is one directory below src/, and the build puts what
 * several programs share one directory below dist/, so that the paths hold for both.
 */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** `packageFile('libexec/bulkhead-exec')`. */
export const packageFile = (path: string): string => fromHere(`../../${path}`);

/** What runs as a process or thread of its own: `scriptFile('host/evidence/main')`. */
export const scriptFile = (path: string): string =>
  fromHere(`../${path}${extname(import.meta.url)}`);
