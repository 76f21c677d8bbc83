/** The accounts of a MySQL server. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { ServerAccount } from '../../core/connection-numbers.ts';
import type { Row } from '../../core/protocol/reply.ts';
import { schemaName } from '../../core/rights/enable-sql.ts';
import { accountsStatement } from '../../core/rights/mysql/sql.ts';
import type { DatabaseConnection } from '../client/connect.ts';
import type { Asker } from '../server.ts';

/** The worker reads them by the view. */
export async function readAccounts(
  connection: DatabaseConnection,
  by: Asker,
): Promise<Result<readonly ServerAccount[], Problem>> {
  const view = `SELECT * FROM \`${schemaName}\`.accounts`;
  const rows = await connection.query(by === 'worker' ? view : accountsStatement);
  return rows.ok ? ok(rows.value.map(accountOf)) : rows;
}

function accountOf(row: Row): ServerAccount {
  const is = (column: string) => row.get(column) === '1';
  const privileges = (row.get('privileges') ?? '').split(',').filter((each) => each !== '');
  return {
    account: row.get('account') ?? '',
    host: row.get('host') ?? '',
    connections: Number(row.get('connections')),
    isRole: is('is_role'),
    privileges: [...new Set(privileges)],
    createsEvents: is('creates_events'),
    grants: is('grants'),
  };
}
