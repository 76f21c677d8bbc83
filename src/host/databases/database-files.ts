/**
 * The sockets that configurations of database servers name. Only what decides about sockets is read.
 *
 *     [mysqld]                                               my.cnf
 *     socket = /run/mysqld/mysqld.sock
 *     !includedir /etc/mysql/mariadb.conf.d/
 *
 *     unix_socket_directories = '/run/postgresql, /tmp'      postgresql.conf
 *     port = 5432
 *
 * Sources: the manuals of MariaDB ("Configuring MariaDB with Option Files") and PostgreSQL ("Connections and
 * Authentication").
 */
import type { JailDatabase } from '../../policy/jail.ts';

export interface DatabaseSocket {
  readonly kind: JailDatabase;
  /** The path that clients use. */
  readonly at: string;
  /** Whether a configuration names it; otherwise it is at a usual place. */
  readonly configured: boolean;
  /** The uid and gid of the server's account. */
  readonly server: { readonly uid: number; readonly gid: number };
}

/** Accounts of the servers in distributions and panels; the first one that exists is the server's. */
export const serverAccounts: Readonly<Record<JailDatabase, readonly string[]>> = {
  mysql: ['mysql', 'mariadb'],
  postgresql: ['postgres', 'pgsql'],
};

/** Sockets of packages and panels, at paths that no configuration needs to name. */
export const defaultSockets: Readonly<Record<JailDatabase, readonly string[]>> = {
  mysql: ['/run/mysqld/mysqld.sock', '/var/lib/mysql/mysql.sock'],
  postgresql: ['/run/postgresql/.s.PGSQL.5432'],
};

/** The directory of distributions' builds; `/tmp`, the other default, is each jail's own. */
export const defaultPostgresqlDirectories: readonly string[] = ['/run/postgresql'];

export interface MysqlFile {
  readonly sockets: readonly string[];
  readonly include: readonly string[];
  readonly includeDirectories: readonly string[];
}

const serverSection = /^(?:client-server|server|mysqld|mariadb|mariadbd)(?:-\d[\d.]*)?$/;

export function parseMysqlFile(text: string): MysqlFile {
  const found = {
    sockets: [] as string[],
    include: [] as string[],
    includeDirectories: [] as string[],
  };
  let isServers = false;
  for (const line of text.split('\n')) {
    const section = /^\s*\[([^\]]*)\]/.exec(line)?.[1];
    if (section !== undefined) isServers = serverSection.test(section.trim().toLowerCase());
    const [, directive, file = ''] = /^\s*!(include|includedir)\s+(\S+)/.exec(line) ?? [];
    if (directive === 'include') found.include.push(file);
    if (directive === 'includedir') found.includeDirectories.push(file.replace(/\/+$/, ''));
    const socket = /^\s*socket\s*=\s*(["']?)([^"'#\s]+)\1/.exec(line)?.[2];
    if (isServers && socket?.startsWith('/') === true) found.sockets.push(socket);
  }
  return found;
}

/** Returns the sockets of a server; undefined values leave those of other files in force. */
export function parsePostgresqlFile(text: string): {
  readonly directories: readonly string[] | undefined;
  readonly port: number | undefined;
} {
  const directories = lastValue(text, 'unix_socket_directories');
  const port = Number(lastValue(text, 'port'));
  return {
    directories: directories
      ?.split(',')
      .map((each) => each.trim().replaceAll('"', '').replace(/\/+$/, ''))
      .filter((each) => each.startsWith('/')),
    port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined,
  };
}

function lastValue(text: string, name: string): string | undefined {
  const lines = [
    ...text.matchAll(
      new RegExp(`^[ \\t]*${name}(?:[ \\t]*=[ \\t]*|[ \\t]+)('[^'\\n]*'|[^\\s#']+)`, 'gim'),
    ),
  ];
  return lines.at(-1)?.[1]?.replaceAll("'", '');
}

export const postgresqlSocket = (directory: string, port: number): string =>
  `${directory}/.s.PGSQL.${port}`;
