/**
 * The statements that give Bulkhead its rights in a MySQL server, as in MariaDB (`enable-sql.ts`) without the syntax that
 * MySQL lacks. Source: MySQL Reference Manual 8.0 and 8.4, "Privileges Provided by MySQL", "Grant Tables", "CREATE USER".
 */
import {
  definer,
  definerAccount,
  procedureComment,
  schemaName,
  textLiteral,
  workerAccount,
} from '../enable-sql.ts';

/** Statements that every connection begins with. Nothing of it goes to replicas: they have rights of their own. */
export const sessionStatements: readonly string[] = [
  'SET NAMES utf8mb4',
  "SET SESSION sql_mode = 'STRICT_ALL_TABLES'",
  'SET SESSION sql_log_bin = 0',
];

export const workerRights = ['PROCESS', 'CONNECTION_ADMIN'] as const;
export const definerRights = ['CREATE USER', 'SESSION_VARIABLES_ADMIN'] as const;
export const workerTables = [
  'performance_schema.threads',
  'performance_schema.users',
  'performance_schema.setup_consumers',
  'performance_schema.events_statements_current',
  'performance_schema.events_statements_summary_by_user_by_event_name',
] as const;
export const definerTables = [
  'mysql.user',
  'mysql.db',
  'mysql.global_grants',
  'mysql.role_edges',
] as const;

export const consumer = 'events_statements_cpu';
export const consumerStatement = (enabled: 'YES' | 'NO'): string =>
  `UPDATE performance_schema.setup_consumers SET ENABLED = '${enabled}' WHERE NAME = '${consumer}'`;

const named = {
  Shutdown: 'SHUTDOWN',
  Process: 'PROCESS',
  File: 'FILE',
  Grant: 'GRANT OPTION',
  Super: 'SUPER',
  Create_user: 'CREATE USER',
  Event: 'EVENT',
} as const;
const others =
  'Select Insert Update Delete Create Drop Reload References Index Alter Show_db Create_tmp_table Lock_tables Execute Repl_slave Repl_client Create_view Show_view Create_routine Alter_routine Trigger Create_tablespace Create_role Drop_role'.split(
    ' ',
  );

/** The names of the global privileges of a row `u` of mysql.user, separated by commas. */
const privileges = `CONCAT_WS(',', ${Object.entries(named)
  .map(([column, name]) => `IF(u.${column}_priv = 'Y', '${name}', NULL)`)
  .join(', ')},
      IF('Y' IN (${others.map((each) => `u.${each}_priv`).join(', ')}), 'others', NULL),
      (SELECT GROUP_CONCAT(g.PRIV) FROM mysql.global_grants g WHERE g.USER = u.User AND g.HOST = u.Host))`;

/** Accounts without their passwords; their global privileges are also those of their roles. */
export const accountsStatement = `WITH RECURSIVE held (user, host, role, role_host) AS (
    SELECT User, Host, User, Host FROM mysql.user
    UNION SELECT h.user, h.host, e.FROM_USER, e.FROM_HOST FROM held h
      JOIN mysql.role_edges e ON e.TO_USER = h.role AND e.TO_HOST = h.role_host)
  SELECT a.User AS account, a.Host AS host, a.max_user_connections AS connections,
    a.account_locked = 'Y' AND a.password_expired = 'Y' AS is_role,
    (SELECT GROUP_CONCAT(NULLIF(${privileges}, '')) FROM held h JOIN mysql.user u ON u.User = h.role AND u.Host = h.role_host
      WHERE h.user = a.User AND h.host = a.Host) AS privileges,
    EXISTS (SELECT 1 FROM mysql.db d WHERE d.User = a.User AND d.Host = a.Host AND d.Event_priv = 'Y') AS creates_events,
    EXISTS (SELECT 1 FROM mysql.db d WHERE d.User = a.User AND d.Host = a.Host AND d.Grant_priv = 'Y') AS grants
  FROM mysql.user a`;

export const viewStatement = `CREATE OR REPLACE DEFINER = ${definer} SQL SECURITY DEFINER VIEW \`${schemaName}\`.accounts AS ${accountsStatement}`;

const refuse = (message: string) => `SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '${message}'`;
const quoted = (name: string) => `'\`', REPLACE(${name}, '\`', '\`\`'), '\`'`;

/** Sets MAX_USER_CONNECTIONS of an account; everything else of the account stays as it is. */
export const procedureStatement = `CREATE DEFINER = ${definer} PROCEDURE \`${schemaName}\`.cap(
    IN of_account VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    IN of_host VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    IN connections BIGINT)
  MODIFIES SQL DATA SQL SECURITY DEFINER COMMENT '${procedureComment}'
BEGIN
  DECLARE found BIGINT DEFAULT 0;
  DECLARE logged BOOL DEFAULT @@SESSION.sql_log_bin;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    SET SESSION sql_log_bin = logged;
    RESIGNAL;
  END;
  IF connections IS NULL OR connections < 0 OR connections > 100000 THEN
    ${refuse('the number must be from 0 to 100000')};
  END IF;
  IF of_account IN ('', 'root', 'mysql', 'mysql.sys', 'mysql.session', 'mysql.infoschema', '${workerAccount}', '${definerAccount}') THEN
    ${refuse('the account belongs to the server')};
  END IF;
  SELECT COUNT(*) INTO found FROM \`${schemaName}\`.accounts a
    WHERE CAST(a.account AS BINARY) = CAST(of_account AS BINARY) AND CAST(a.host AS BINARY) = CAST(of_host AS BINARY) AND NOT a.is_role;
  IF found <> 1 THEN
    ${refuse('there is no such account')};
  END IF;
  SELECT COUNT(*) INTO found FROM \`${schemaName}\`.accounts a
    WHERE CAST(a.account AS BINARY) = CAST(of_account AS BINARY) AND CAST(a.host AS BINARY) = CAST(of_host AS BINARY)
      AND COALESCE(a.privileges, '') = '';
  IF found <> 1 THEN
    ${refuse('the account has global privileges, or a role of it')};
  END IF;
  SET SESSION sql_log_bin = 0;
  SET @bulkhead_cap = CONCAT('ALTER USER ', ${quoted('of_account')}, '@', ${quoted('of_host')}, ' WITH MAX_USER_CONNECTIONS ', connections);
  PREPARE bulkhead_cap FROM @bulkhead_cap;
  EXECUTE bulkhead_cap;
  DEALLOCATE PREPARE bulkhead_cap;
  SET SESSION sql_log_bin = logged;
END`;

const nameOf = (name: string) => `\`${name.replaceAll('`', '``')}\``;

/** Returns the statement by which root sets a number back. */
export const restoreStatement = (account: string, host: string, connections: number): string =>
  `ALTER USER ${nameOf(account)}@${nameOf(host)} WITH MAX_USER_CONNECTIONS ${connections}`;

/** Returns the question for an account's number, which needs the rights of root. */
export const numberStatement = (account: string, host: string): string =>
  `SELECT u.max_user_connections AS connections FROM mysql.user u
    WHERE CAST(u.User AS BINARY) = CAST(${textLiteral(account)} AS BINARY) AND CAST(u.Host AS BINARY) = CAST(${textLiteral(host)} AS BINARY)`;

/** Returns a password as SQL, for a session with backslashes as escapes. */
export const passwordLiteral = (password: string): string =>
  `'${password.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
