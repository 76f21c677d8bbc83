/**
 * Opens a log that only root could put where it is: each directory on the way belongs to root, and nobody else may write
 * to it. Links are followed by hand, and only those in such a directory, which root made. The file itself belongs to root
 * or a system account: web servers give logs to the account of their workers.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { causeOf, errnoOf } from '../../../../packages/base/io/errno.ts';
import { openRegularFile, type RegularFile } from '../../../../packages/base/io/regular-file.ts';
import { fail, type Result } from '../../../../packages/base/result.ts';

export type OpenFailure = { readonly isMissing: boolean; readonly reason: string };

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
const linksMax = 16;

/** The accounts of this host that may have to do with logs. */
export interface LogKeepers {
  /** Groups that may write to directories, such as the system logger's group. */
  readonly groups: ReadonlySet<number>;
  /** The smallest uid of people; accounts of the system are below it. */
  readonly peopleFrom: number;
}

export function openRootsFile(
  path: string,
  { groups, peopleFrom }: LogKeepers,
): Result<RegularFile, OpenFailure> {
  let directory = openSync('/', O_RDONLY | O_DIRECTORY);
  const names = namesOf(path);
  let links = 0;
  try {
    for (;;) {
      const reason = directoryReason(fstatSync(directory), groups);
      if (reason !== undefined) return fail({ isMissing: false, reason });
      const name = names.shift();
      if (name === undefined) return fail({ isMissing: false, reason: 'it is a directory' });
      const at = `/proc/self/fd/${directory}/${name}`;
      const link = linkAt(at);
      if (link !== undefined) {
        if (++links > linksMax) return fail({ isMissing: false, reason: 'it has too many links' });
        names.unshift(...namesOf(link));
        if (link.startsWith('/')) directory = replaced(directory, '/');
        continue;
      }
      if (names.length === 0) return fileAt(at, path, peopleFrom);
      directory = replaced(directory, at);
    }
  } catch (error) {
    return fail({ isMissing: errnoOf(error) === 'ENOENT', reason: causeOf(error).reason });
  } finally {
    closeSync(directory);
  }
}

const namesOf = (path: string) => path.split('/').filter((name) => name !== '' && name !== '.');

function replaced(directory: number, path: string): number {
  const next = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  closeSync(directory);
  return next;
}

/** Returns the target of a link; undefined for everything else. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}

function directoryReason(
  { uid, gid, mode }: Stats,
  groups: ReadonlySet<number>,
): string | undefined {
  if (uid !== 0) return `a directory on the way belongs to uid ${uid}, not to root`;
  const isOthers = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0 && !groups.has(gid));
  return isOthers ? 'others than root can write to a directory on the way' : undefined;
}

function fileAt(at: string, path: string, peopleFrom: number): Result<RegularFile, OpenFailure> {
  const opened = openRegularFile(at, { links: 'refuse', shownAs: path });
  if (!opened.ok)
    return fail({ isMissing: opened.error.errno === 'ENOENT', reason: opened.error.reason });
  const { uid, mode } = opened.value.stat;
  const isOwn = uid < peopleFrom && (mode & 0o002) === 0;
  if (isOwn) return opened;
  opened.value[Symbol.dispose]();
  return fail({ isMissing: false, reason: `uid ${uid} or others can write to it` });
}
