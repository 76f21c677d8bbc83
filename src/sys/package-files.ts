/**
 * Paths of the package's files. This file is one directory below src/, and the build puts shared
 * code one directory below dist/, so that the paths are right for both.
 */
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Returns the path of a file: `packageFile('libexec/bulkhead-broker')`. */
export const packageFile = (path: string): string => fromHere(`../../${path}`);

type EntryName =
  | 'bulkhead-exec'
  | 'bulkhead-fpm'
  | 'bulkhead-suexec'
  | 'bulkhead-thaw'
  | 'pam_bulkhead.so';

/** Returns the path of a program or the PAM module, which are compiled for this processor. */
export const entryFile = (name: EntryName): string =>
  packageFile(`dist/entry/${process.arch}/${name}`);

/**
 * Returns the path of a script that runs as a process or thread of its own:
 * `scriptFile('host/evidence/main')`.
 */
export const scriptFile = (path: string): string =>
  fromHere(`../${path}${extname(import.meta.url)}`);

/** The directory in which a distribution's package puts pages. */
const sharedDocs = '/usr/share/doc/bulkhead';

/** Returns the path of a documentation page for a message: `docPage('jail')`. */
export function docPage(name: string): string {
  const own = packageFile(`docs/${name}.md`);
  const shared = `${sharedDocs}/${name}.md`;
  return !existsSync(own) && existsSync(shared) ? shared : own;
}
