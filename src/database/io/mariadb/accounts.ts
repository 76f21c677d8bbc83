/** The accounts of a MariaDB server. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { ServerAccount } from '../../core/connection-numbers.ts';
import { rowsMax, type Row } from '../../core/protocol/reply.ts';
import { accountsStatement, schemaName, textLiteral } from '../../core/rights/enable-sql.ts';
import { privilegesOf } from '../../core/rights/privileges.ts';
import type { DatabaseConnection } from '../client/connect.ts';
import type { Asker } from '../server.ts';

/** The worker reads them by the view. */
export async function readAccounts(
  connection: DatabaseConnection,
  by: Asker,
  names?: readonly string[],
): Promise<Result<readonly ServerAccount[], Problem>> {
  const view = `SELECT * FROM \`${schemaName}\`.accounts a`;
  const some =
    names === undefined ? '' : ` WHERE BINARY account IN (${names.map(binaryText).join(', ')})`;
  const table = by === 'worker' ? view : `SELECT * FROM (${accountsStatement}) a`;
  const rows = await connection.query(`${table}${some} ORDER BY account, host LIMIT ${rowsMax}`);
  return rows.ok ? ok(rows.value.map(accountOf)) : rows;
}

const binaryText = (text: string) => `BINARY ${textLiteral(text)}`;

function accountOf(row: Row): ServerAccount {
  const text = (column: string) => row.get(column) ?? '';
  const [own, ofRoles] = [privilegesOf(text('access')), privilegesOf(text('roles'))];
  return {
    account: text('account'),
    host: text('host'),
    connections: Number(text('connections')),
    isRole: text('is_role') === '1',
    privileges: own && ofRoles && [...new Set([...own, ...ofRoles])],
    createsEvents: text('creates_events') === '1',
    grants: text('grants') === '1',
  };
}
