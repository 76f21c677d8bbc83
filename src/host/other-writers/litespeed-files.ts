/**
 * The files of OpenLiteSpeed's plain configuration: the main one, and those that it includes.
 *
 *     include  /usr/local/lsws/conf/extra/*.conf
 *     include  $SERVER_ROOT/conf/extra             all files *.conf of a directory
 *     include  extra/limits.conf                   from the directory of this file
 */
import { dirname, resolve } from 'node:path';
import { namesIn } from '../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { isDirectory, pathsOf } from '../servers/find-servers.ts';

const fileBytesMax = 4 * 2 ** 20;
/** The limit for files, which may include each other. */
const filesMax = 200;

/** Returns the paths without the root, each once. */
export function liteSpeedFiles(
  root: string,
  { main, serverRoot }: { readonly main: string; readonly serverRoot: string },
): readonly string[] {
  const files = new Set([main]);
  // Files found on the way go to the end.
  for (const file of files) {
    for (const pattern of includesIn(root + file)) {
      const named = pattern.replace(/^\$server_root\//i, `${serverRoot}/`);
      for (const each of included(root, resolve(dirname(file), named))) {
        if (files.size < filesMax) files.add(each);
      }
    }
  }
  return [...files];
}

function includesIn(path: string): readonly string[] {
  const read = readBounded(path, fileBytesMax);
  const text = read.ok ? decodeText(read.value) : '';
  return [...text.matchAll(/^[ \t]*include[ \t]+(\S.*)$/gim)].map(([, named = '']) => named.trim());
}

const included = (root: string, pattern: string): readonly string[] =>
  pathsOf(root, pattern).flatMap((path) =>
    isDirectory(root + path)
      ? namesIn(root + path)
          .filter((name) => name.endsWith('.conf'))
          .map((name) => `${path}/${name}`)
      : [path],
  );
