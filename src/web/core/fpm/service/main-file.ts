/**
 * The main file that the distribution's php-fpm reads instead of its own. In the same text, each `include` names a
 * directory of links to the files that stay.
 *
 *     include=/etc/php/8.4/fpm/pool.d/*.conf   →   include=/etc/bulkhead/fpm/8.4/pools/1/*.conf
 */
import { basenameOf } from './listen.ts';
import type { PoolFile } from './split.ts';

const include = /^(?<before>[ \t]*include[ \t]*=[ \t]*)(?<value>.*)$/;

export interface MainFile {
  readonly text: string;
  /** Targets by the name of the link. */
  readonly links: ReadonlyMap<string, string>;
}

/** An include of the main file, with the files that it names now. */
export interface Include {
  /** The pattern, as php-fpm reads it. */
  readonly pattern: string;
  readonly files: readonly PoolFile[];
}

const header = `; Written by "bulkhead web fpm": the main file without the pools that tenants' own services have.\n`;

export function mainFile(
  original: string,
  includes: readonly Include[],
  kept: readonly PoolFile[],
  directory: string,
  emptySocket: string,
): MainFile {
  let index = 0;
  const lines = original.split('\n').map((line) => {
    const before = include.exec(line)?.groups?.['before'];
    return before === undefined ? line : `${before}${directory}/${++index}/*.conf`;
  });
  const isKept = new Set(kept);
  const links = includes.flatMap(({ files }, at) => {
    const staying = files.filter((each) => isKept.has(each));
    if (staying.length === 0) return [[`${at + 1}/${noFile}`, '/dev/null'] as const];
    return staying.map(
      (each, order) => [`${at + 1}/${linkName(order, each.path)}`, each.path] as const,
    );
  });
  return { text: `${header}${lines.join('\n')}\n${emptyPool(emptySocket)}`, links: new Map(links) };
}

/** The link in a directory without files: php-fpm does not start if the directory of an include is missing. */
const noFile = '000000-none.conf';

/** Returns a name that keeps the order of the original. */
const linkName = (order: number, path: string) =>
  `${String(order + 1).padStart(6, '0')}-${basenameOf(path).replace(/(\.conf)?$/, '.conf')}`;

/**
 * The pool that stays if no other does: php-fpm does not start without one. Only root can send it requests, and it
 * has no process until then.
 */
export const emptyPoolName = 'bulkhead-none';

const emptyPool = (socket: string) => `
[${emptyPoolName}]
user = nobody
listen = ${socket}
listen.mode = 0600
pm = ondemand
pm.max_children = 1
`;
