/** Whether entries are held here: the file at nginx's http level is there. */
import { lstatSync } from 'node:fs';
import { nginxEntriesPath, type WebPrograms } from '../servers.ts';

export function isEnabled({ nginx }: Pick<WebPrograms, 'nginx'>): boolean {
  return nginx !== undefined && isThere(nginxEntriesPath(nginx));
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
