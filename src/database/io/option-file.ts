/**
 * The file that has servers count what accounts use from their next start on. It is in a directory that the server's own
 * configuration includes, and that only root can change.
 */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  isRootsDirectory,
  isTrusted,
  writableByOthers,
} from '../../../packages/base/io/pinned-directory.ts';
import { realPathOf } from '../../../packages/base/io/read.ts';
import { decodeText, openRegularFile, readWhole } from '../../../packages/base/io/regular-file.ts';
import { parseMysqlFile } from '../../host/databases/database-files.ts';
import type { Paths } from '../../host/paths.ts';
import {
  contentAfter,
  putHostFile,
  readHostFile,
  type HostFile,
} from '../../sys/files/host-file.ts';

type Etc = Pick<Paths, 'etc'>;

/** Its name is the last in its directory: a later file would win. */
const name = 'zz-bulkhead.cnf';
const firstLine = '# Written by "bulkhead db enable"; "bulkhead db disable" removes it.';
/** MariaDB reads none of these sections, and an older MySQL does not stop at the option. */
const mysqlSections = ['8.0', '8.4']
  .map(
    (version) =>
      `[mysqld-${version}]\nloose-performance-schema-consumer-events-statements-cpu = ON\n`,
  )
  .join('');
const optionFileText = `${firstLine}\n[mariadbd]\nuserstat = 1\n${mysqlSections}`;

const filesMax = 50;
const bytesMax = 2 ** 20;

/** Returns the directories that the configuration includes, the last one first, whose files win. */
function includedDirectories({ etc }: Etc): readonly string[] {
  const waiting = [`${etc}/my.cnf`, `${etc}/mysql/my.cnf`];
  const read = new Set<string>();
  const found: string[] = [];
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const real = realPathOf(file);
    if (real === undefined || read.has(real) || read.size >= filesMax) continue;
    read.add(real);
    const { include, includeDirectories } = parseMysqlFile(textOf(real));
    waiting.push(...include);
    found.push(...includeDirectories);
  }
  return [...new Set(found)].toReversed();
}

/** Returns the text of a file that only root can change; otherwise empty, since somebody else chose what it includes. */
function textOf(path: string): string {
  const opened = openRegularFile(path, { links: 'refuse' });
  if (!opened.ok) return '';
  using file = opened.value;
  if (!isTrusted(file.stat.uid) || writableByOthers(file.stat)) return '';
  const read = readWhole(file, bytesMax);
  return read.ok ? decodeText(read.value) : '';
}

/** Returns the path of the file, whether or not it is there; undefined if there is no directory for it. */
function optionFilePath(paths: Etc): string | undefined {
  const directory = includedDirectories(paths).find(isRootsDirectory);
  return directory === undefined ? undefined : `${directory}/${name}`;
}

export interface OptionFile {
  /** Undefined: the configuration includes no directory that only root can change. */
  readonly path: string | undefined;
  readonly isThere: boolean;
}

/** Looks for the file. One of that name that somebody else wrote is a problem. */
export function readOptionFile(paths: Etc): Result<OptionFile, Problem> {
  const path = optionFilePath(paths);
  if (path === undefined) return ok({ path, isThere: false });
  const read = readHostFile(fileAt(path));
  if (!read.ok) return read;
  if (read.value === undefined) return ok({ path, isThere: false });
  if (decodeText(read.value.bytes).startsWith(firstLine)) return ok({ path, isThere: true });
  return failed({
    action: 'replace',
    object: path,
    reason: 'it was not written by Bulkhead',
    hint: 'rename it',
  });
}

export function writeOptionFile(paths: Etc): Result<void, Problem> {
  const found = readOptionFile(paths);
  if (!found.ok) return found;
  const { path } = found.value;
  return path === undefined
    ? ok(undefined)
    : putHostFile(fileAt(path), contentAfter(undefined, optionFileText));
}

/** Removes the file, which is ours. */
export const removeOptionFile = (path: string): Result<void, Problem> =>
  putHostFile(fileAt(path), undefined);

const fileAt = (path: string): HostFile => ({ path });
