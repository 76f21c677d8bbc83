/** The roles of a PostgreSQL server. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { ServerAccount } from '../../core/connection-numbers.ts';
import { rowsMax, type Row } from '../../core/protocol/reply.ts';
import {
  accountsStatement,
  isName,
  schemaName,
  trustsStatement,
} from '../../core/rights/postgresql/sql.ts';
import type { DatabaseConnection } from '../client/connect.ts';
import type { Asker } from '../server.ts';

const rights = [
  ['superuser', 'SUPERUSER'],
  ['creates_roles', 'CREATEROLE'],
  ['replicates', 'REPLICATION'],
  ['bypasses', 'BYPASSRLS'],
] as const;

/** Returns the roles, after an account without a name if anybody is let in under any name: a list that is cut has it. */
export async function readAccounts(
  connection: DatabaseConnection,
  by: Asker,
  names?: readonly string[],
): Promise<Result<readonly ServerAccount[], Problem>> {
  const some =
    names === undefined
      ? ''
      : ` WHERE ${names.map((each) => isName('account', each)).join(' OR ')}`;
  const rows = await connection.query(
    `SELECT * FROM (${accountsStatement}) a${some} ORDER BY account LIMIT ${rowsMax}`,
  );
  if (!rows.ok) return rows;
  // Whoever asks about some knows all already.
  if (names !== undefined) return ok(rows.value.map(accountOf));
  const asked = `SELECT ${schemaName}.trusts() AS trusts`;
  const trusts = await connection.query(by === 'worker' ? asked : trustsStatement);
  if (!trusts.ok) return trusts;
  const everybody = trusts.value[0]?.get('trusts') === 't' ? [anybody] : [];
  return ok([...everybody, ...rows.value.map(accountOf)]);
}

const anybody: ServerAccount = {
  account: '',
  host: '',
  connections: -1,
  isRole: false,
  privileges: [],
  createsEvents: false,
  grants: false,
};

function accountOf(row: Row): ServerAccount {
  const is = (column: string) => row.get(column) === 't';
  const predefined = (row.get('predefined') ?? '').split(' ').filter((each) => each !== '');
  return {
    ...anybody,
    account: row.get('account') ?? '',
    connections: Number(row.get('connections')),
    isRole: !is('logs_in'),
    privileges: [
      ...rights.flatMap(([column, name]) => (is(column) ? [name] : [])),
      ...new Set(predefined),
    ],
  };
}
