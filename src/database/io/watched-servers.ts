/** The servers that the agent watches: those that were enabled, and those that the policy names with a login. */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { isPostgresqlSocket } from '../../policy/databases/postgresql-socket.ts';
import { findDatabases } from '../../host/databases/find.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { workerAccount } from '../core/rights/enable-sql.ts';
import { findWorkerUser } from './account.ts';
import type { Login } from './client/connect.ts';
import { readCredentials } from './credentials.ts';
import type { ServerAddress } from './open-server.ts';
import { readServers } from './record-file.ts';
import { SeenServer } from './seen-server.ts';
import { WatchedServer } from './worker/watched-server.ts';

export interface FoundServer {
  readonly address: ServerAddress;
  readonly make: () => SeenServer;
}

const action = 'watch database servers';

/** The error says what to do. No server is asked anything. */
export function findServers(paths: Paths, policy: Policy): Result<readonly FoundServer[], Problem> {
  const worker = findWorkerUser(paths);
  if (!worker.ok) return worker;
  const enabled = readServers(paths);
  if (!enabled.ok) return enabled;
  const named = policy.databases?.servers ?? [];
  const sockets = new Set([
    ...enabled.value.filter(({ undoing }) => undoing !== true).map(({ socket }) => socket),
    ...named.filter(({ credentials }) => credentials !== undefined).map(({ socket }) => socket),
  ]);
  const hint = 'run "bulkhead db enable"';
  if (sockets.size === 0)
    return failed({ action, reason: 'the policy has limits, and no server is enabled', hint });
  const user = worker.value;
  if (user === undefined)
    return failed({ action, reason: `the system user ${workerAccount} is missing`, hint });
  const servers = findDatabases(paths);
  return ok(
    [...sockets].flatMap((at) => {
      // A server at another place than configurations say has the account of the others.
      const kind = isPostgresqlSocket(at) ? 'postgresql' : 'mysql';
      const found =
        servers.find((each) => each.at === at) ?? servers.find((each) => each.kind === kind);
      if (found === undefined) return [];
      const address = { at, server: found.server };
      const credentials = named.find(({ socket }) => socket === at)?.credentials;
      const login = () => loginOf(credentials);
      const make = () => new SeenServer(new WatchedServer({ address, login, worker: user }));
      return [{ address, make }];
    }),
  );
}

/** A file that cannot be read leaves the login without a password, which the server refuses. */
function loginOf(credentials: string | undefined): Login {
  const read = credentials === undefined ? undefined : readCredentials(credentials);
  return read?.ok === true ? read.value : { user: workerAccount };
}
