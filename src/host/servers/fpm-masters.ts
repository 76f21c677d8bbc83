/**
 * The php-fpm masters that run as root, by the title that each gives its process:
 *
 *     php-fpm: master process (/etc/php/8.4/fpm/php-fpm.conf)
 *
 * Only processes of root's are asked, since a tenant can make whoever reads its files wait for ever. A tenant may also start
 * a set-user-ID program, such as su, under any title: only php-fpm programs of root's count. Masters in containers have their own pid namespace, and are left out.
 */
import { lstatSync } from 'node:fs';
import { basename } from 'node:path';
import { linkAt, namesIn, readText } from '../../../packages/base/io/read.ts';
import { statusValue } from '../../sys/processes/process-status.ts';

export interface FpmMaster {
  readonly program: string;
  /** The main file of its configuration. */
  readonly configuration: string;
}

/** The path is as long as one can be at most, and has no characters that change a terminal. */
const title = /^php-fpm: master process \((\/[^\p{Cc}]{0,4094})\)/u;
/** More than any host has; each of them is a line for an administrator. */
const mastersMax = 200;

export function findFpmMasters(proc: string): readonly FpmMaster[] {
  const here = linkAt(`${proc}/self/ns/pid`);
  const found = new Map<string, FpmMaster>();
  for (const pid of namesIn(proc)) {
    if (!/^\d+$/.test(pid) || found.size === mastersMax) continue;
    const at = `${proc}/${pid}`;
    if (statusValue(readText(`${at}/status`) ?? '', 'Uid')?.startsWith('0\t0\t') !== true) continue;
    const configuration = title.exec(readText(`${at}/cmdline`) ?? '')?.[1];
    if (configuration === undefined || linkAt(`${at}/ns/pid`) !== here) continue;
    const program = linkAt(`${at}/exe`).replace(/ \(deleted\)$/, '');
    if (basename(program).startsWith('php-fpm') && isRoots(program))
      found.set(`${program} ${configuration}`, { program, configuration });
  }
  return [...found.values()];
}

function isRoots(path: string): boolean {
  try {
    return lstatSync(path).uid === 0;
  } catch {
    return false;
  }
}
