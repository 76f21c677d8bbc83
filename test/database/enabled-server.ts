/** A real MariaDB in which Bulkhead has its rights, and a connection of the worker, which logs in without its process. */
import '../../testing/guard/here.ts';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import type { DatabaseConnection } from '../../src/database/io/client/connect.ts';
import { enableServer } from '../../src/database/io/enable.ts';
import { lockDatabases } from '../../src/database/io/record-file.ts';
import { startMariadb, type MariadbServer } from '../../testing/mariadb.ts';

export interface EnabledServer extends AsyncDisposable {
  readonly server: MariadbServer;
  readonly root: DatabaseConnection;
  readonly worker: DatabaseConnection;
}

/** Starts it in a directory; `state` is where the records of what was changed are. */
export async function startEnabled(
  directory: string,
  state: string,
  options: readonly string[] = [],
): Promise<EnabledServer> {
  const server = await startMariadb(directory, options);
  const root = await server.connect();
  valueOf(lockDatabases({ state })).release();
  valueOf(await enableServer({ paths: { state }, socket: server.socket, connection: root }));
  await server.sql("ALTER USER `bulkhead-db`@localhost IDENTIFIED BY ''");
  const worker = await server.connect('bulkhead-db');
  return {
    server,
    root,
    worker,
    async [Symbol.asyncDispose]() {
      worker.close();
      root.close();
      await server.stop();
    },
  };
}

export function valueOf<T>(result: Result<T, Problem>): T {
  if (!result.ok) throw new Error(formatProblem(result.error));
  return result.value;
}
