/** The sockets of database servers that jails can show. */
import { closeSync } from 'node:fs';
import { formatCause, type Cause } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { DatabaseSocket } from '../../../host/databases/database-files.ts';
import { missingSocket, openDatabaseSocket } from '../../../host/databases/open-socket.ts';
import { checkJailPath } from '../../../policy/jail.ts';

/** Opens it for a mount; the caller closes the descriptor. The error is about its path. */
export function openJailSocket(socket: DatabaseSocket): Result<number, Cause> {
  const allowed = checkJailPath(socket.at);
  return allowed.ok ? openDatabaseSocket(socket) : allowed;
}

/** A socket that was found. */
export interface DatabaseReport extends Pick<DatabaseSocket, 'kind' | 'at'> {
  /** The reason why it is in no jail; absent if jails contain it. */
  readonly reason?: string;
}

/**
 * Returns what jails can show of the sockets. `unmounted` has those that the last build could not mount. Usual places
 * without a socket are left out.
 */
export const reportDatabases = (
  sockets: readonly DatabaseSocket[],
  unmounted: ReadonlyMap<string, string>,
): readonly DatabaseReport[] =>
  sockets.flatMap((socket): readonly DatabaseReport[] => {
    const { kind, at, configured } = socket;
    const opened = openJailSocket(socket);
    if (opened.ok) {
      closeSync(opened.value);
      const failed = unmounted.get(at);
      return [{ kind, at, ...(failed === undefined ? {} : { reason: failed }) }];
    }
    if (opened.error === missingSocket && !configured) return [];
    return [{ kind, at, reason: formatCause(opened.error) }];
  });

const names = { mysql: 'MySQL or MariaDB', postgresql: 'PostgreSQL' } as const;

export const formatDatabase = ({ kind, at, reason }: DatabaseReport): string =>
  reason === undefined
    ? `${at} (${names[kind]})`
    : `${at} (${names[kind]}) is in no jail: ${reason}`;
