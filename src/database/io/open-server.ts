/** Opens a database server by its socket, which only root and the server can have made. */
import { closeSync, lstatSync } from 'node:fs';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { fail, type Result } from '../../../packages/base/result.ts';
import { parsePasswd, readUidRange } from '../../host/accounts/accounts.ts';
import { pathsOf } from '../../host/paths.ts';
import { isPostgresqlSocket } from '../../policy/databases/postgresql-socket.ts';
import { missingSocket, openDatabaseSocket } from '../../host/databases/open-socket.ts';
import {
  connectDatabase,
  type ConnectOptions,
  type DatabaseConnection,
  type DatabaseProblem,
  type Login,
} from './client/connect.ts';
import { workerAccount } from '../core/rights/enable-sql.ts';
import { kindOf } from './kinds.ts';
import type { DatabaseServer } from './server.ts';

export interface ServerAddress {
  /** The path of the socket. */
  readonly at: string;
  /** The account of the server. */
  readonly server: { readonly uid: number; readonly gid: number };
}

const action = 'connect to the database server at';

/** Connects, and asks what the server shows. The caller closes the connection. */
export async function openServer(
  address: ServerAddress,
  login: Login,
): Promise<Result<DatabaseServer, DatabaseProblem>> {
  const connection = await connectServer(address, login);
  if (!connection.ok) return connection;
  const opened = await kindOf(connection.value).open(connection.value);
  if (!opened.ok) connection.value.close();
  return opened;
}

/**
 * Connects for a command of root. The account that owns the socket counts as the server's, whatever its name: nobody but
 * that account and root can have put it there. Anybody else who listened there would be given root's login. A person,
 * such as a tenant with a server of its own, gets no password of another server's administrator.
 */
export async function connectForRoot(
  at: string,
  login: Login,
  options?: ConnectOptions,
): Promise<Result<DatabaseConnection, DatabaseProblem>> {
  let uid: number;
  try {
    ({ uid } = lstatSync(at));
  } catch (error) {
    const cause = errnoOf(error) === 'ENOENT' ? missingSocket : causeOf(error);
    return fail({ ...cause, action, object: at });
  }
  const { first, last } = readUidRange(pathsOf());
  if (login.password !== undefined && uid >= first && uid <= last)
    return fail({
      action,
      object: at,
      reason: `it belongs to uid ${uid}, an account of a person, who would learn the password`,
      hint: 'name the socket of a server that runs as an account of its own, or leave out --login',
    });
  if (isPostgresqlSocket(at)) return connectForOwner({ at, uid }, login, options);
  // Whoever is in the socket's group could have made it, so no group counts as the server's.
  return connectServer({ at, server: { uid, gid: 0 } }, login, options);
}

/**
 * PostgreSQL has no account of root's: its superuser is the account that it runs as, which root can be. The directory of
 * its sockets belongs to that account's group in distributions.
 */
async function connectForOwner(
  { at, uid }: { readonly at: string; readonly uid: number },
  login: Login,
  options?: ConnectOptions,
): Promise<Result<DatabaseConnection, DatabaseProblem>> {
  const owner = parsePasswd(readText('/etc/passwd') ?? '').find((each) => each.uid === uid);
  if (owner === undefined)
    return fail({ action, object: at, reason: `no account of this host has its uid ${uid}` });
  const address = { at, server: { uid, gid: owner.gid } };
  return login.password === undefined
    ? connectServer(address, { user: owner.user }, { ...options, asUid: uid })
    : connectServer(address, login, options);
}

/** Tries to log in as the worker does, by the uid of its account. Returns why it cannot; undefined if it can. */
export async function workerObstacle(
  at: string,
  worker: { readonly uid: number },
): Promise<DatabaseProblem | undefined> {
  const opened = await connectDatabase(at, { user: workerAccount }, { asUid: worker.uid });
  if (!opened.ok) return opened.error;
  opened.value.close();
  return undefined;
}

async function connectServer(
  address: ServerAddress,
  login: Login,
  options: ConnectOptions = {},
): Promise<Result<DatabaseConnection, DatabaseProblem>> {
  const socket = openDatabaseSocket(address);
  if (!socket.ok) return fail({ ...socket.error, action, object: address.at });
  try {
    const through = `/proc/self/fd/${socket.value}`;
    return await connectDatabase(address.at, login, { ...options, through });
  } finally {
    closeSync(socket.value);
  }
}
