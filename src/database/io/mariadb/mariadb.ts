/** MariaDB as a kind of server. */
import { ok } from '../../../../packages/base/result.ts';
import { capStatement } from '../../core/rights/enable-sql.ts';
import type { ServerKind } from '../server.ts';
import { readAccounts } from './accounts.ts';
import { endSession } from './end-session.ts';
import { openMariadb } from './look.ts';
import { mariadbRights } from './rights.ts';

export const mariadb: ServerKind = {
  name: 'MariaDB',
  open: openMariadb,
  accounts: readAccounts,
  endSession,
  rights: mariadbRights,
  setNumber: (connection, { account, host, connections }) =>
    connection.query(capStatement(account, host, connections)),
  async settings(connection) {
    const rows = await connection.query(
      'SELECT @@GLOBAL.read_only AS read_only, @@GLOBAL.event_scheduler AS events',
    );
    if (!rows.ok) return rows;
    const isOn = (name: string) => ['1', 'ON'].includes(rows.value[0]?.get(name) ?? '');
    return ok({ isReadOnly: isOn('read_only'), runsEvents: isOn('events') });
  },
};
