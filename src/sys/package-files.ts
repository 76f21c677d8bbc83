/**
 * Where the package's files are. This file is one directory below src/, and the build puts what
 * several programs share one directory below dist/, so that the paths hold for both.
 */
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const fromHere = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** `packageFile('libexec/bulkhead-exec')`. */
export const packageFile = (path: string): string => fromHere(`../../${path}`);

/** What runs as a process or thread of its own: `scriptFile('host/evidence/main')`. */
export const scriptFile = (path: string): string =>
  fromHere(`../${path}${extname(import.meta.url)}`);

/** Where a distribution's package puts pages. */
const sharedDocs = '/usr/share/doc/bulkhead';

/** A page of the documentation as whoever reads a message has it: `docPage('jail')`. */
export function docPage(name: string): string {
  const own = packageFile(`docs/${name}.md`);
  const shared = `${sharedDocs}/${name}.md`;
  return !existsSync(own) && existsSync(shared) ? shared : own;
}
