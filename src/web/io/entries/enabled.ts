/** Whether entries are enabled here: the agent's record exists, or a file of a web server does. */
import { lstatSync } from 'node:fs';
import type { Paths } from '../../../host/paths.ts';
import { nginxEntriesPath, type WebPrograms } from '../servers.ts';
import { apacheEntriesPath } from './apache.ts';
import { recordPath } from './record.ts';

export function isEnabled(paths: Paths, { nginx, apache }: WebPrograms): boolean {
  const files = [
    recordPath(paths),
    ...(nginx === undefined ? [] : [nginxEntriesPath(nginx)]),
    ...(apache === undefined ? [] : [apacheEntriesPath(apache)]),
  ];
  return files.some(isThere);
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}
