/**
 * Finds the sockets of the host's database servers: those that configurations name, and those at usual places. None of
 * them needs to exist. All reads are bounded.
 */
import { join } from 'node:path';
import { parsePasswd, readUidRange } from '../accounts/accounts.ts';
import type { Paths } from '../paths.ts';
import { namesIn, readText } from '../../../packages/base/io/read.ts';
import { printable } from '../../../packages/base/printable.ts';
import { decodeText, openRegularFile, readWhole } from '../../../packages/base/io/regular-file.ts';
import { jailDatabases, type JailDatabase } from '../../policy/jail.ts';
import {
  parseMysqlFile,
  defaultPostgresqlDirectories,
  parsePostgresqlFile,
  postgresqlSocket,
  serverAccounts,
  defaultSockets,
  type DatabaseSocket,
} from './database-files.ts';

/** More than any host has; further files and sockets are ignored. */
const filesMax = 200;
const directoriesMax = 20;
const socketsMax = 16;
const bytesMax = 1 << 20;

export function findDatabases(paths: Paths): readonly DatabaseSocket[] {
  return jailDatabases.flatMap((kind) => {
    const server = serverOf(kind, paths);
    if (server === undefined) return [];
    // People read the paths, and the server's account may write them.
    const readable = configured[kind](paths.etc, server.uid).filter((at) => printable(at) === at);
    const named = new Set(readable.map(withoutVarRun));
    return [...new Set([...named, ...defaultSockets[kind]])]
      .slice(0, socketsMax)
      .map((at) => ({ kind, at, configured: named.has(at), server }));
  });
}

/** Returns the server's account. Customers choose names, too, so an account of a person is none. */
function serverOf(kind: JailDatabase, paths: Paths): DatabaseSocket['server'] | undefined {
  const accounts = parsePasswd(readText(`${paths.etc}/passwd`) ?? '');
  const { first } = readUidRange(paths);
  const found = serverAccounts[kind]
    .flatMap((name) => accounts.filter(({ user }) => user === name))
    .find(({ uid }) => uid !== 0 && uid < first);
  return found && { uid: found.uid, gid: found.gid };
}

/** Returns the path without /var/run, which is a link to /run on the host and in jails. */
const withoutVarRun = (path: string) => path.replace(/^\/var\/run\//, '/run/');

const configured: Readonly<
  Record<JailDatabase, (etc: string, server: number) => readonly string[]>
> = {
  mysql: mysqlSockets,
  postgresql: postgresqlSockets,
};

/** Reads the files that root or the server has written; others' are none of the server's, either. */
function mysqlSockets(etc: string, server: number): readonly string[] {
  const waiting = [`${etc}/my.cnf`, `${etc}/mysql/my.cnf`];
  const read = new Set<string>();
  const listed = new Set<string>();
  const sockets: string[] = [];
  for (
    let file = waiting.shift();
    file !== undefined && read.size < filesMax;
    file = waiting.shift()
  ) {
    if (read.has(file)) continue;
    read.add(file);
    const parsed = parseMysqlFile(ownText(file, server));
    sockets.push(...parsed.sockets);
    waiting.push(...parsed.include.filter((each) => each.startsWith('/')));
    for (const directory of parsed.includeDirectories) {
      if (!directory.startsWith('/') || listed.has(directory) || listed.size >= directoriesMax)
        continue;
      listed.add(directory);
      waiting.push(...filesIn(directory, '.cnf').slice(0, filesMax));
    }
  }
  return sockets;
}

/** Reads the clusters of Debian, and those of Enterprise Linux, whose configuration is in the data directory. */
function postgresqlSockets(etc: string, server: number): readonly string[] {
  const debian = namesIn(`${etc}/postgresql`).flatMap((version) =>
    namesIn(join(etc, 'postgresql', version)).map((cluster) =>
      join(etc, 'postgresql', version, cluster),
    ),
  );
  const red = [
    '/var/lib/pgsql',
    ...namesIn('/var/lib/pgsql').map((each) => `/var/lib/pgsql/${each}`),
  ];
  return [...debian, ...red.map((each) => `${each}/data`)]
    .slice(0, filesMax)
    .flatMap((directory) => clusterSockets(directory, server));
}

function clusterSockets(directory: string, server: number): readonly string[] {
  const files = [
    `${directory}/postgresql.conf`,
    ...filesIn(`${directory}/conf.d`, '.conf'),
    `${directory}/postgresql.auto.conf`,
  ];
  const texts = files.map((each) => textOf(each, server));
  let directories: readonly string[] = texts[0] === '' ? [] : defaultPostgresqlDirectories;
  let port = 5432;
  for (const text of texts) {
    const parsed = parsePostgresqlFile(text);
    directories = parsed.directories ?? directories;
    port = parsed.port ?? port;
  }
  return directories.map((each) => postgresqlSocket(each, port));
}

/**
 * Returns the text of a cluster's file; empty if there is none, or if it is somebody else's: a customer can have a cluster,
 * and its files. The server can change the directory, so links do not count.
 */
const textOf = (path: string, server: number): string =>
  trustedText(path, server, { links: 'refuse', others: 0o002 });

/** Returns the text of a file that nobody but root and the server can change; otherwise empty. */
const ownText = (path: string, server: number): string =>
  trustedText(path, server, { links: 'follow', others: 0o022 });

/** `others`: the bits of the mode that let others change the file. */
function trustedText(
  path: string,
  server: number,
  { links, others }: { readonly links: 'refuse' | 'follow'; readonly others: number },
): string {
  const opened = openRegularFile(path, { links });
  if (!opened.ok) return '';
  using file = opened.value;
  const { uid, mode } = file.stat;
  const isTrusted = uid === 0 || uid === server || uid === process.getuid?.();
  if (!isTrusted || (mode & others) !== 0) return '';
  const read = readWhole(file, bytesMax);
  return read.ok ? decodeText(read.value) : '';
}

const filesIn = (directory: string, end: string) =>
  namesIn(directory)
    .filter((name) => name.endsWith(end))
    .sort()
    .map((name) => join(directory, name));
