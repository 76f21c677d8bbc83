/** The version of this package. */
import { readFileSync } from 'node:fs';
import { packageFile } from '../sys/package-files.ts';

export function version(): string {
  const text = readFileSync(packageFile('package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
