/**
 * The rows that Plesk's database client prints: a row a line, fields between tabs, the first one names the kind. The last
 * row says that all of them were printed.
 *
 *     site  ann  a.example  1  main     acme  reseller    the account, a domain, its subscription, and the vendor
 *     plan  1    Gold       acme  reseller                a subscription's plan, and the owner of the plan
 *     all   Gold acme       reseller                      a plan, and its owner
 *     db    ann  ann_wp     mysql                       an account, one of its accounts of a database server, and its kind
 *     end
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

const fields = {
  site: ['login', 'domain', 'subscription', 'main', 'owner', 'ownerType'],
  plan: ['subscription', 'name', 'owner', 'ownerType'],
  all: ['name', 'owner', 'ownerType'],
  db: ['login', 'name', 'type'],
} as const;

type Kind = keyof typeof fields;
type Row<K extends Kind> = Readonly<Record<(typeof fields)[K][number], string>>;

type Writable = { [K in Kind]: Row<K>[] };
export type PleskRows = { readonly [K in Kind]: readonly Row<K>[] };

/** Tables and columns have the names that scripts of Plesk (plesk/migration-scripts) and of its users have. */
export const pleskQuery = [
  "SELECT 'site', sys_users.login, d.name, IF(d.webspace_id = 0, d.id, d.webspace_id), IF(d.webspace_id = 0, 'main', ''), IFNULL(clients.login, ''), IFNULL(clients.type, '') FROM domains AS d JOIN hosting ON hosting.dom_id = d.id JOIN sys_users ON sys_users.id = hosting.sys_user_id LEFT JOIN clients ON clients.id = d.vendor_id ORDER BY d.id",
  "SELECT 'plan', Subscriptions.object_id, Templates.name, IFNULL(clients.login, ''), IFNULL(clients.type, '') FROM Subscriptions JOIN PlansSubscriptions ON PlansSubscriptions.subscription_id = Subscriptions.id JOIN Templates ON Templates.id = PlansSubscriptions.plan_id LEFT JOIN clients ON clients.id = Templates.owner_id WHERE Subscriptions.object_type = 'domain' AND Templates.type = 'domain' ORDER BY Subscriptions.object_id, Templates.id",
  "SELECT 'all', Templates.name, IFNULL(clients.login, ''), IFNULL(clients.type, '') FROM Templates LEFT JOIN clients ON clients.id = Templates.owner_id WHERE Templates.type = 'domain' ORDER BY Templates.id",
  "SELECT 'end'",
].join('; ');

/** A query of its own: the rest stands if these tables are not as they are known. */
export const pleskDatabasesQuery = [
  "SELECT 'db', sys_users.login, db_users.login, data_bases.type FROM db_users JOIN data_bases ON data_bases.id = db_users.db_id JOIN hosting ON hosting.dom_id = data_bases.dom_id JOIN sys_users ON sys_users.id = hosting.sys_user_id ORDER BY db_users.id",
  "SELECT 'end'",
].join('; ');

/** Fails unless every row is understood and the last one was printed: half an answer looks like a server with fewer accounts. */
export function parsePleskRows(text: string): Result<PleskRows, Cause> {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.pop() !== 'end')
    return fail({ reason: 'the answer is not whole', hint: 'run: plesk db -Ne "SELECT 1"' });
  const rows: Writable = { site: [], plan: [], all: [], db: [] };
  for (const [index, line] of lines.entries()) {
    const [kind = '', ...values] = line.split('\t').map(unescaped);
    if (!isKind(kind) || values.length !== fields[kind].length)
      return fail({ reason: `row ${index + 1} of the answer cannot be understood` });
    const row = Object.fromEntries(fields[kind].map((name, at) => [name, values[at]]));
    (rows[kind] as unknown[]).push(row);
  }
  return ok(rows);
}

const isKind = (word: string): word is Kind => Object.hasOwn(fields, word);

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', '0': '\0', '\\': '\\' };

/** Undoes what the client does to characters that would end a field or a row. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\([tn0\\])/g, (all, letter: string) => escapes[letter] ?? all);
