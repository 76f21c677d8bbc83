/**
 * cPanel's map of a user's databases, which it writes as root.
 *
 *     {"MYSQL":{"owner":"ann","server":"127.0.0.1","dbs":{"ann_wp":"127.0.0.1"},"dbusers":{"ann_wp":{"dbs":{…},"server":…}}},
 *      "PGSQL":{…},"version":1}
 *
 * Source: docs.cpanel.net, "The rebuild_dbmap script".
 */
import type { StatedDatabases } from './panel-data.ts';
import { isObject, parseObject } from '../../../packages/base/json.ts';

/** Returns the names of the accounts; undefined if the text is not such a map. */
export function parseDatabaseMap(text: string): Required<StatedDatabases> | undefined {
  const map = parseObject(text);
  if (map === undefined) return undefined;
  const [databaseAccounts, postgresqlAccounts] = ['MYSQL', 'PGSQL'].map((engine) =>
    map[engine] === undefined ? [] : namesIn(map[engine]),
  );
  return databaseAccounts && postgresqlAccounts && { databaseAccounts, postgresqlAccounts };
}

function namesIn(engine: unknown): readonly string[] | undefined {
  if (!isObject(engine)) return undefined;
  const { owner, dbusers = {} } = engine;
  if (!isObject(dbusers)) return undefined;
  return [...(typeof owner === 'string' ? [owner] : []), ...Object.keys(dbusers)];
}
