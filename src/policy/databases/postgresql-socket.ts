import type { AccountKind } from './database-settings.ts';

/** Whether the path is one of PostgreSQL's sockets, which have no other names, so that it shows how to talk to the server. */
export const isPostgresqlSocket = (path: string): boolean => /\/\.s\.PGSQL\.\d+$/.test(path);

/** Returns the kind of accounts of the server at a socket, as panels tell them apart. */
export const accountKindAt = (socket: string): AccountKind =>
  isPostgresqlSocket(socket) ? 'postgresql' : 'mysql';
