/** Opens a database server by its socket, which only root and the server can have made. */
import { closeSync } from 'node:fs';
import { fail, type Result } from '../../../packages/base/result.ts';
import { openDatabaseSocket } from '../../host/databases/open-socket.ts';
import { connectDatabase, type DatabaseProblem, type Login } from './client/connect.ts';
import { openMariadb } from './mariadb.ts';
import type { DatabaseServer } from './server.ts';

export interface ServerAddress {
  /** The path of the socket. */
  readonly at: string;
  /** The account of the server. */
  readonly server: { readonly uid: number; readonly gid: number };
}

/** Connects, and asks what the server shows. The caller closes the connection. */
export async function openServer(
  address: ServerAddress,
  login: Login,
): Promise<Result<DatabaseServer, DatabaseProblem>> {
  const socket = openDatabaseSocket(address);
  if (!socket.ok)
    return fail({
      ...socket.error,
      action: 'connect to the database server at',
      object: address.at,
    });
  try {
    const through = `/proc/self/fd/${socket.value}`;
    const connection = await connectDatabase(address.at, login, { through });
    if (!connection.ok) return connection;
    const opened = await openMariadb(connection.value);
    if (!opened.ok) connection.value.close();
    return opened;
  } finally {
    closeSync(socket.value);
  }
}
