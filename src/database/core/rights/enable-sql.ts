/**
 * The statements that give Bulkhead its rights in a MariaDB server. Two accounts share the work, so that no process of
 * Bulkhead has the right to change accounts:
 *
 *     bulkhead-db    the worker logs in as it: it sees and ends statements, reads the view, calls the procedure
 *     bulkhead-cap   nobody can log in as it: the view and the procedure run with its rights
 *
 * Names reach SQL in backticks only: what is inside them depends on no sql_mode and no character set of the session.
 */
import { accessOf } from './privileges.ts';

/** The system user of the worker, and its account in servers. */
export const workerAccount = 'bulkhead-db';
/** The account whose rights the view and the procedure have. */
export const definerAccount = 'bulkhead-cap';
export const schemaName = 'bulkhead';
/** The mark of our schema. */
export const schemaComment = 'Made by Bulkhead';
/** The mark of our procedure; another text of the procedure or the view needs another number. */
export const procedureComment = 'Bulkhead 3';

/** Returns a string as SQL that no sql_mode reads in another way. */
export const textLiteral = (text: string): string => {
  const hex = [...new TextEncoder().encode(text)].map((each) => each.toString(16).padStart(2, '0'));
  return `_utf8mb4 x'${hex.join('')}'`;
};

export const worker = `\`${workerAccount}\`@localhost`;
export const definer = `\`${definerAccount}\`@localhost`;

export const workerAccess = accessOf('PROCESS', 'CONNECTION ADMIN');
export const definerAccess = accessOf('CREATE USER', 'BINLOG ADMIN');

/** Statements that every connection begins with. Nothing of it goes to replicas: they have rights of their own. */
export const sessionStatements: readonly string[] = [
  'SET NAMES utf8mb4 COLLATE utf8mb4_general_ci',
  "SET SESSION sql_mode = 'STRICT_ALL_TABLES'",
  'SET SESSION sql_log_bin = 0',
];

/**
 * Whether a row is of the account that `cap` is called for: by the index, which needs the column's own character set, and
 * then byte by byte. A name that this character set does not have is in no row.
 */
const isAsked = (table: string) =>
  `${table}.User = CONVERT(of_account USING utf8) AND ${table}.Host = CONVERT(of_host USING utf8)
        AND BINARY ${table}.User = BINARY of_account AND BINARY ${table}.Host = BINARY of_host`;

/** The privileges of an account's roles, and of the roles that those have. */
const privilegesOfRoles = `
    WITH RECURSIVE held (name) AS (
      SELECT m.Role FROM mysql.roles_mapping m
        WHERE ${isAsked('m')}
      UNION
      SELECT m.Role FROM mysql.roles_mapping m JOIN held ON m.User = held.name WHERE m.Host = '')
    SELECT BIT_OR(CAST(COALESCE(JSON_VALUE(r.Priv, '$.access'), '0') AS UNSIGNED))
      FROM mysql.global_priv r JOIN held ON r.User = held.name WHERE r.Host = ''`;

const isAccountOf = (table: string) =>
  `${table}.User = g.User AND ${table}.Host = g.Host AND BINARY ${table}.User = BINARY g.User AND BINARY ${table}.Host = BINARY g.Host`;

/**
 * Accounts without their passwords, for root; the worker reads the same through the view. `roles` are the privileges of roles
 * that the account has itself; `cap` also looks at the roles of those roles. Names are compared as the tables have them, by
 * their indexes, and then byte by byte: a server may have thousands of accounts.
 */
export const accountsStatement = `SELECT g.User AS account, g.Host AS host,
    COALESCE(JSON_VALUE(g.Priv, '$.max_user_connections'), '0') AS connections,
    COALESCE(JSON_VALUE(g.Priv, '$.is_role'), 0) <> 0 AS is_role,
    COALESCE(JSON_VALUE(g.Priv, '$.access'), '0') AS access,
    (SELECT BIT_OR(CAST(COALESCE(JSON_VALUE(r.Priv, '$.access'), '0') AS UNSIGNED))
       FROM mysql.roles_mapping m JOIN mysql.global_priv r ON r.User = m.Role AND BINARY r.User = BINARY m.Role
       WHERE ${isAccountOf('m')}) AS roles,
    EXISTS (SELECT 1 FROM mysql.db d WHERE ${isAccountOf('d')} AND d.Event_priv = 'Y') AS creates_events,
    EXISTS (SELECT 1 FROM mysql.db d WHERE ${isAccountOf('d')} AND d.Grant_priv = 'Y') AS grants
  FROM mysql.global_priv g`;

export const viewStatement = `CREATE OR REPLACE DEFINER = ${definer} SQL SECURITY DEFINER VIEW \`${schemaName}\`.accounts AS ${accountsStatement}`;

const refuse = (message: string) => `SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '${message}'`;

/** Sets MAX_USER_CONNECTIONS of an account; everything else of the account stays as it is. */
export const procedureStatement = `CREATE OR REPLACE DEFINER = ${definer} PROCEDURE \`${schemaName}\`.cap(
    IN of_account VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    IN of_host VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    IN connections BIGINT)
  MODIFIES SQL DATA SQL SECURITY DEFINER COMMENT '${procedureComment}'
BEGIN
  DECLARE found BIGINT UNSIGNED;
  DECLARE logged BOOL DEFAULT @@SESSION.sql_log_bin;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET SESSION sql_log_bin = logged;
    RESIGNAL;
  END;
  IF connections IS NULL OR connections < 0 OR connections > 100000 THEN
    ${refuse('the number must be from 0 to 100000')};
  END IF;
  SELECT COUNT(*) INTO found FROM mysql.global_priv g
    WHERE ${isAsked('g')}
      AND COALESCE(JSON_VALUE(g.Priv, '$.is_role'), 0) = 0;
  IF found <> 1 THEN
    ${refuse('there is no such account')};
  END IF;
  IF of_account IN ('', 'root', 'mysql', 'mariadb.sys', 'mysql.sys', 'mysql.session', 'mysql.infoschema',
      '${workerAccount}', '${definerAccount}') THEN
    ${refuse('the account belongs to the server')};
  END IF;
  SELECT COUNT(*) INTO found FROM mysql.global_priv g
    WHERE ${isAsked('g')}
      AND COALESCE(JSON_VALUE(g.Priv, '$.access'), '0') = '0';
  IF found <> 1 THEN
    ${refuse('the account has global privileges')};
  END IF;
  SET found = COALESCE((${privilegesOfRoles}), 0);
  IF found <> 0 THEN
    ${refuse('a role of the account has global privileges')};
  END IF;
  SET SESSION sql_log_bin = 0;
  EXECUTE IMMEDIATE CONCAT('ALTER USER \`', REPLACE(of_account, '\`', '\`\`'), '\`@\`', REPLACE(of_host, '\`', '\`\`'),
    '\` WITH MAX_USER_CONNECTIONS ', connections);
  SET SESSION sql_log_bin = logged;
END`;

/** Returns the call by which the worker sets an account's number. */
export const capStatement = (account: string, host: string, connections: number): string =>
  `CALL \`${schemaName}\`.cap(${textLiteral(account)}, ${textLiteral(host)}, ${connections})`;

/** Returns the statement by which root sets a number back, whatever the account has become meanwhile. */
export function restoreStatement(account: string, host: string, connections: number): string {
  const name = (text: string) =>
    `'\`', REPLACE(${textLiteral(text)} COLLATE utf8mb4_bin, '\`', '\`\`'), '\`'`;
  const parts = ["'ALTER USER '", name(account), "'@'", name(host)].join(', ');
  return `EXECUTE IMMEDIATE CONCAT(${parts}, ' WITH MAX_USER_CONNECTIONS ${connections}')`;
}

/** Returns the question for an account's number, which needs the rights of root. No row: there is no such account. */
export const numberStatement = (account: string, host: string): string =>
  `SELECT COALESCE(JSON_VALUE(g.Priv, '$.max_user_connections'), '0') AS connections FROM mysql.global_priv g
    WHERE BINARY g.User = BINARY ${textLiteral(account)} AND BINARY g.Host = BINARY ${textLiteral(host)}`;
