/**
 * Vhosts of panels that include files next to them, so that the panel's own files need not be edited.
 *
 *     include /home/alice/conf/web/shop.example/nginx.conf_*;        in nginx.conf of that directory, HestiaCP
 */
import { basename, dirname, join } from 'node:path';
import { realPathOf } from '../../../../packages/base/io/read.ts';
import { readBounded, decodeText } from '../../../../packages/base/io/regular-file.ts';

const bytesMax = 2 ** 20;
/** The path of a HestiaCP vhost, to which links in /etc/nginx/conf.d/domains/ lead. */
const inHome = /^\/home\/[^/]+\/conf\/web\/[^/]+\/[^/]+$/;

/** Returns the path of our file that the vhost in `file` would read; nothing if it reads none. */
export function domainInclude(file: string): string | undefined {
  const real = realPathOf(file);
  if (real === undefined || !inHome.test(real)) return undefined;
  const read = readBounded(real, bytesMax, { links: 'refuse' });
  const pattern = `${real}_*`;
  const includes = read.ok
    ? [
        ...decodeText(read.value).matchAll(
          /^[ \t]*(?:include|IncludeOptional)[ \t]+([^\s;]+);?[ \t]*$/gm,
        ),
      ]
    : [];
  return includes.some(([, path]) => path === pattern)
    ? join(dirname(real), `${basename(real)}_bulkhead`)
    : undefined;
}

/**
 * Whether a vhost's file of Apache includes one of our files, which need not exist yet. If the file has several vhosts, the right
 * one is known only once our file exists.
 */
export function namesFile(file: string, path: string): boolean {
  const read = readBounded(file, bytesMax, { links: 'follow' });
  return (
    read.ok &&
    decodeText(read.value)
      .split('\n')
      .some((line) => includedBy.exec(line)?.[2] === path)
  );
}

/** Whether a file is one of these, by whatever path: distributions and panels include directories by links. */
export function isAmong(path: string, files: ReadonlySet<string> = new Set()): boolean {
  const real = realPathOf(path);
  return files.has(path) || (real !== undefined && [...files].map(realPathOf).includes(real));
}

/** Matches a line that includes one path: `IncludeOptional "/etc/apache2/bulkhead/1001.conf"`. */
const includedBy = /^\s*Include(?:Optional)?\s+("?)([^"\s]+)\1\s*$/i;

/** Remembers answers, so that each file is asked about once: it can have several vhosts. */
export function remembered<T>(ask: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    if (!known.has(key)) known.set(key, ask(key));
    return known.get(key) as T;
  };
}
