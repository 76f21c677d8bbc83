/**
 * The statements that give Bulkhead its rights in a PostgreSQL server. The worker's role sees and ends statements. It
 * cannot change roles: since PostgreSQL 16, whoever may change all of them is a superuser. Two functions of a superuser do
 * what it needs, and nothing else.
 *
 * Names reach SQL as bytes in hexadecimal, which depend on no encoding and no setting of the session.
 */
import { workerAccount } from '../enable-sql.ts';

export const schemaName = 'bulkhead';
/** The mark of our schema. */
export const schemaComment = 'Made by Bulkhead';
/** The mark of our functions; another text of them needs another number. */
export const functionComment = 'Bulkhead 2';

export const role = `"${workerAccount}"`;
export const workerMemberships = ['pg_read_all_stats', 'pg_signal_backend'] as const;

/** Returns a text as SQL of the type bytea. */
export const bytesLiteral = (text: string): string => {
  const hex = [...new TextEncoder().encode(text)].map((each) => each.toString(16).padStart(2, '0'));
  return `decode('${hex.join('')}', 'hex')`;
};

/** Returns the condition that a column of the type name is this text. */
export const isName = (column: string, text: string): string =>
  `textsend(${column}::text) = ${bytesLiteral(text)}`;

/** Predefined roles that only let their members read statistics, so that they get around no limit. */
const harmless =
  "'pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables', 'pg_database_owner', 'pg_checkpoint'";

/** Rights of a role `r` for which no limit holds. */
const powers = (r: string) =>
  `${r}.rolsuper OR ${r}.rolcreaterole OR ${r}.rolreplication OR ${r}.rolbypassrls
    OR ${r}.rolname LIKE 'pg\\_%' AND ${r}.rolname NOT IN (${harmless})`;

/** All roles, with the rights that each has itself or can take by its memberships. */
export const accountsStatement = `WITH RECURSIVE held (member, role) AS (
    SELECT oid, oid FROM pg_catalog.pg_roles
    UNION SELECT h.member, m.roleid FROM held h JOIN pg_catalog.pg_auth_members m ON m.member = h.role)
  SELECT a.rolname AS account, a.rolconnlimit AS connections, a.rolcanlogin AS logs_in,
    bool_or(r.rolsuper) AS superuser, bool_or(r.rolcreaterole) AS creates_roles,
    bool_or(r.rolreplication) AS replicates, bool_or(r.rolbypassrls) AS bypasses,
    string_agg(r.rolname, ' ') FILTER (WHERE r.rolname LIKE 'pg\\_%' AND r.rolname NOT IN (${harmless})) AS predefined
  FROM pg_catalog.pg_roles a JOIN held h ON h.member = a.oid JOIN pg_catalog.pg_roles r ON r.oid = h.role
  WHERE a.rolname NOT LIKE 'pg\\_%'
  GROUP BY a.oid, a.rolname, a.rolconnlimit, a.rolcanlogin`;

/**
 * Whether a line of pg_hba.conf lets everybody in under the name of a tenant or of the worker, who sees and ends all
 * statements; also one that an earlier line overrides.
 */
export const trustsStatement = `SELECT EXISTS (SELECT FROM pg_catalog.pg_hba_file_rules
    WHERE auth_method = 'trust' AND NOT user_name <@ ARRAY['postgres', 'root']
      AND NOT database <@ ARRAY['replication']) AS trusts`;

const refuse = (message: string) => `RAISE EXCEPTION '${message}'`;

/** Sets CONNECTION LIMIT of a role; everything else of the role stays as it is. */
const capFunction = `CREATE OR REPLACE FUNCTION ${schemaName}.cap(of_account bytea, connections integer) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $bulkhead$
DECLARE
  found record;
BEGIN
  IF connections IS NULL OR connections < -1 OR connections > 100000 THEN
    ${refuse('the number must be from -1 to 100000')};
  END IF;
  SELECT oid, rolname, rolcanlogin INTO found FROM pg_catalog.pg_authid
    WHERE pg_catalog.textsend(rolname::pg_catalog.text) = of_account;
  IF found.oid IS NULL OR NOT found.rolcanlogin THEN
    ${refuse('there is no such account')};
  END IF;
  IF found.oid = 10 OR found.rolname IN ('postgres', 'root', '${workerAccount}') THEN
    ${refuse('the account belongs to the server')};
  END IF;
  IF EXISTS (WITH RECURSIVE held (role) AS (
      SELECT found.oid UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN held ON m.member = held.role)
    SELECT FROM held JOIN pg_catalog.pg_authid r ON r.oid = held.role WHERE ${powers('r')}) THEN
    ${refuse('the account has rights for which no limit holds')};
  END IF;
  EXECUTE pg_catalog.format('ALTER ROLE %I CONNECTION LIMIT %s', found.rolname, connections);
END
$bulkhead$`;

const trustsFunction = `CREATE OR REPLACE FUNCTION ${schemaName}.trusts() RETURNS boolean
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $bulkhead$ ${trustsStatement} $bulkhead$`;

export const functions = {
  cap: { signature: 'cap(bytea, integer)', create: capFunction },
  trusts: { signature: 'trusts()', create: trustsFunction },
} as const;
export type FunctionName = keyof typeof functions;

/** Makes a function and lets only the worker call it, as one transaction. */
export function functionStatement(name: FunctionName): string {
  const { signature, create } = functions[name];
  const target = `FUNCTION ${schemaName}.${signature}`;
  return [
    create,
    `ALTER ${target} OWNER TO CURRENT_USER`,
    `REVOKE ALL ON ${target} FROM PUBLIC`,
    `GRANT EXECUTE ON ${target} TO ${role}`,
    `COMMENT ON ${target} IS '${functionComment}'`,
  ].join('; ');
}

/** Returns the call by which the worker sets an account's number. */
export const capStatement = (account: string, connections: number): string =>
  `SELECT ${schemaName}.cap(${bytesLiteral(account)}, ${connections})`;

/** Returns the statement by which a superuser sets a number back, whatever the account has become meanwhile. */
export const restoreStatement = (account: string, connections: number): string => `DO $bulkhead$
DECLARE found name;
BEGIN
  FOR found IN SELECT rolname FROM pg_catalog.pg_roles WHERE ${isName('rolname', account)} LOOP
    EXECUTE pg_catalog.format('ALTER ROLE %I CONNECTION LIMIT ${connections}', found);
  END LOOP;
END $bulkhead$`;

export const numberStatement = (account: string): string =>
  `SELECT rolconnlimit AS connections FROM pg_catalog.pg_roles WHERE ${isName('rolname', account)}`;
