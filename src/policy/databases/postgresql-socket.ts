/** Whether the path is one of PostgreSQL's sockets, which have no other names, so that it shows how to talk to the server. */
export const isPostgresqlSocket = (path: string): boolean => /\/\.s\.PGSQL\.\d+$/.test(path);
