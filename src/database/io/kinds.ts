/** The kinds of database server. */
import type { DatabaseConnection } from './client/connect.ts';
import { mariadb } from './mariadb/mariadb.ts';
import { mysql } from './mysql/mysql.ts';
import { postgresql } from './postgresql/postgresql.ts';
import type { ServerKind } from './server.ts';

/** Returns the kind of the server at the other end. MariaDB says so in its version. */
export function kindOf({ protocol, version }: DatabaseConnection): ServerKind {
  if (protocol === 'postgresql') return postgresql;
  return /mariadb/i.test(version) ? mariadb : mysql;
}
