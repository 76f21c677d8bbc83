/** PostgreSQL as a kind of server. */
import { ok } from '../../../../packages/base/result.ts';
import { capStatement } from '../../core/rights/postgresql/sql.ts';
import type { ServerKind } from '../server.ts';
import { readAccounts } from './accounts.ts';
import { endSession } from './end-session.ts';
import { openPostgresql } from './look.ts';
import { postgresqlRights } from './rights.ts';

export const postgresql: ServerKind = {
  name: 'PostgreSQL',
  open: openPostgresql,
  accounts: readAccounts,
  endSession,
  rights: postgresqlRights,
  setNumber: (connection, { account, connections }) =>
    connection.query(capStatement(account, connections)),
  async settings(connection) {
    const rows = await connection.query('SELECT pg_is_in_recovery() AS replica');
    if (!rows.ok) return rows;
    // It has no events of its own; extensions that run statements do it as connections.
    return ok({ isReadOnly: rows.value[0]?.get('replica') === 't', runsEvents: false });
  },
};
