/** The kinds of database server. */
import type { DatabaseConnection } from './client/connect.ts';
import { mariadb } from './mariadb/mariadb.ts';
import { postgresql } from './postgresql/postgresql.ts';
import type { ServerKind } from './server.ts';

/** Returns the kind of the server at the other end. */
export const kindOf = ({ protocol }: DatabaseConnection): ServerKind =>
  protocol === 'postgresql' ? postgresql : mariadb;
