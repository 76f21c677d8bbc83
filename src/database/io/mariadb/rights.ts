/** The rights of Bulkhead in a MariaDB server. */
import { ok } from '../../../../packages/base/result.ts';
import { enableRemarks, planDisable, planEnable } from '../../core/rights/enable.ts';
import { numberStatement, restoreStatement } from '../../core/rights/enable-sql.ts';
import { nativeHash } from '../client/native-hash.ts';
import type { ServerRights } from '../server.ts';
import { readServerFacts } from './server-facts.ts';

const countsNoLonger = {
  text: 'no longer counts what accounts use',
  sql: 'SET GLOBAL userstat = 0',
};

export const mariadbRights: ServerRights = {
  async plan(connection, { isOurs, password }) {
    const facts = await readServerFacts(connection);
    if (!facts.ok) return facts;
    const hash = password === undefined ? {} : { passwordHash: nativeHash(password) };
    const steps = planEnable(facts.value, { isOurs, ...hash });
    if (!steps.ok) return steps;
    const { hasUserstat: isCounting } = facts.value;
    return ok({ steps: steps.value, remarks: enableRemarks(facts.value), isCounting });
  },
  async planUndo(connection, { wasCounting }) {
    const facts = await readServerFacts(connection);
    if (!facts.ok) return facts;
    const { before, after } = planDisable(facts.value);
    const isToStop = !wasCounting && facts.value.hasUserstat;
    return ok({ before, after: isToStop ? [...after, countsNoLonger] : after });
  },
  async numberOf(connection, { account, host }) {
    const rows = await connection.query(numberStatement(account, host));
    if (!rows.ok) return rows;
    const value = rows.value[0]?.get('connections') ?? undefined;
    return ok(value === undefined ? undefined : Number(value));
  },
  restoreNumber: (connection, { account, host, connections }) =>
    connection.query(restoreStatement(account, host, connections)),
};
