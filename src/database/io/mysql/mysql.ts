/** MySQL and Percona Server as a kind of server. */
import { capStatement } from '../../core/rights/enable-sql.ts';
import { mariadb } from '../mariadb/mariadb.ts';
import type { ServerKind } from '../server.ts';
import { readAccounts } from './accounts.ts';
import { endSession } from './end-session.ts';
import { openMysql } from './look.ts';
import { mysqlRights } from './rights.ts';

export const mysql: ServerKind = {
  name: 'MySQL',
  open: openMysql,
  accounts: readAccounts,
  endSession,
  rights: mysqlRights,
  setNumber: (connection, { account, host, connections }) =>
    connection.query(capStatement(account, host, connections)),
  // Both have these two settings.
  settings: mariadb.settings,
};
