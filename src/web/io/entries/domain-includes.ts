/**
 * Panels that read files beside a vhost, so that nothing of theirs has to be edited.
 *
 *     include /home/alice/conf/web/shop.example/nginx.conf_*;        in nginx.conf of that directory, HestiaCP
 */
import { basename, dirname, join } from 'node:path';
import { realPathOf } from '../../../sys/files/read.ts';
import { readBounded, textOf } from '../../../sys/files/regular-file.ts';

const bytesMax = 2 ** 20;
/** HestiaCP links to them from /etc/nginx/conf.d/domains/. */
const inHome = /^\/home\/[^/]+\/conf\/web\/[^/]+\/[^/]+$/;

/** The name of a file of ours that the vhost in `file` would read; nothing where it reads none. */
export function domainInclude(file: string): string | undefined {
  const real = realPathOf(file);
  if (real === undefined || !inHome.test(real)) return undefined;
  const read = readBounded(real, bytesMax, { links: 'refuse' });
  const pattern = `${real}_*`;
  const includes = read.ok
    ? [
        ...textOf(read.value).matchAll(
          /^[ \t]*(?:include|IncludeOptional)[ \t]+([^\s;]+);?[ \t]*$/gm,
        ),
      ]
    : [];
  return includes.some(([, path]) => path === pattern)
    ? join(dirname(real), `${basename(real)}_bulkhead`)
    : undefined;
}

/**
 * Whether the text of a vhost's file names one of our files, which need not be there yet. Which of several vhosts in
 * it does is seen once it is.
 */
export function namesFile(file: string, path: string): boolean {
  const read = readBounded(file, bytesMax, { links: 'follow' });
  return (
    read.ok &&
    textOf(read.value)
      .split('\n')
      .some((line) => line.trim().endsWith(` ${path}`))
  );
}

/** Each is asked once: several vhosts are in a file. */
export function remembered<T>(ask: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    if (!known.has(key)) known.set(key, ask(key));
    return known.get(key) as T;
  };
}
