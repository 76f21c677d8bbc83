/** Accounts of database servers that never belong to a tenant. */

/** Accounts that servers, distributions and Bulkhead itself make. */
const ownAccounts: ReadonlySet<string> = new Set([
  '',
  'root',
  'mysql',
  'mariadb.sys',
  'mysql.sys',
  'mysql.session',
  'mysql.infoschema',
  'debian-sys-maint',
  'event_scheduler',
  'system user',
  'unauthenticated user',
  'PUBLIC',
  'postgres',
  'bulkhead-db',
  'bulkhead-cap',
]);

/** Whether the account belongs to the server, so that no tenant is ever held for it, not even by the policy. */
export const isServersOwn = (account: string): boolean => ownAccounts.has(account);
