/**
 * Opens the socket of a database server, if only root and the server can have put it there. The descriptor is what gets
 * mounted or connected to, so nobody can replace the socket between the check and its use.
 */
import { closeSync, fstatSync, type Stats } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { withoutRootsLinks } from '../../sys/files/roots-links.ts';
import { openAnyWithoutLinks, openWithoutLinks } from '../../sys/mount-calls.ts';
import type { DatabaseSocket } from './database-files.ts';

/** The error if nothing is at the path. */
export const missingSocket: Cause = { reason: 'it does not exist', hint: 'start the server' };

/** Opens the socket as a path only (O_PATH); the caller closes the descriptor. The error is about its path. */
export function openDatabaseSocket({
  at,
  server,
}: Pick<DatabaseSocket, 'at' | 'server'>): Result<number, Cause> {
  try {
    const directory = openDirectory(dirname(at), server);
    return directory.ok ? openIn(directory.value, basename(at), server) : directory;
  } catch (error) {
    return fail(errnoOf(error) === 'ENOENT' ? missingSocket : causeOf(error));
  }
}

type Server = DatabaseSocket['server'];

function openDirectory(path: string, server: Server): Result<number, Cause> {
  const real = withoutRootsLinks(path);
  if (!real.ok) return real;
  let fd = openWithoutLinks('/');
  let shown = '';
  for (const name of real.value.split('/').slice(1)) {
    const above = fd;
    try {
      fd = openWithoutLinks(name, above);
    } finally {
      closeSync(above);
    }
    shown += `/${name}`;
    const problem = problemOf(fstatSync(fd), server);
    if (problem === undefined) continue;
    closeSync(fd);
    return fail({ reason: `${shown} ${problem}`, hint: 'only root and the server may change it' });
  }
  return ok(fd);
}

/** Returns why others than root and the server can change the directory, if they can. */
function problemOf({ uid, gid, mode }: Stats, server: Server): string | undefined {
  if (uid !== 0 && uid !== server.uid) return `belongs to uid ${uid}`;
  if ((mode & 0o002) !== 0) return 'can be written by others';
  const isOfServer = gid === 0 || gid === server.gid;
  return (mode & 0o020) !== 0 && !isOfServer ? `can be written by group ${gid}` : undefined;
}

function openIn(directory: number, name: string, server: Server): Result<number, Cause> {
  let fd: number;
  try {
    fd = openAnyWithoutLinks(name, directory);
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') return fail({ reason: 'it is a symbolic link' });
    throw error;
  } finally {
    closeSync(directory);
  }
  const stat = fstatSync(fd);
  const reason = !stat.isSocket()
    ? 'it is not a socket'
    : stat.uid === server.uid
      ? undefined
      : `it belongs to uid ${stat.uid}, and the server has uid ${server.uid}`;
  if (reason === undefined) return ok(fd);
  closeSync(fd);
  return fail({ reason });
}
