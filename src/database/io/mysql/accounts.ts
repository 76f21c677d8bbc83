/** The accounts of a MySQL server. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { ServerAccount } from '../../core/connection-numbers.ts';
import { rowsMax, type Row } from '../../core/protocol/reply.ts';
import { schemaName, textLiteral } from '../../core/rights/enable-sql.ts';
import { accountsStatement } from '../../core/rights/mysql/sql.ts';
import type { DatabaseConnection } from '../client/connect.ts';
import type { Asker } from '../server.ts';

/** The worker reads them by the view. */
export async function readAccounts(
  connection: DatabaseConnection,
  by: Asker,
  names?: readonly string[],
): Promise<Result<readonly ServerAccount[], Problem>> {
  const view = `SELECT * FROM \`${schemaName}\`.accounts a`;
  const table = by === 'worker' ? view : `SELECT * FROM (${accountsStatement}) a`;
  const some =
    names === undefined
      ? ''
      : ` WHERE CAST(account AS BINARY) IN (${names.map((each) => `CAST(${textLiteral(each)} AS BINARY)`).join(', ')})`;
  const rows = await connection.query(`${table}${some} ORDER BY account, host LIMIT ${rowsMax}`);
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
