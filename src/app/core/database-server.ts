/**
 * A database server of a tenant's own, as an application: the program is `libexec/bulkhead-mariadb`, which the tenant's
 * shell runs.
 */

/** The places of MariaDB's server, from version 10.5; `libexec/bulkhead-mariadb` has the same. */
export const serverPrograms = ['/usr/sbin/mariadbd', '/usr/libexec/mariadbd'] as const;

/** It may have to be made first, by a tenant with a small part of the processor. */
export const databaseReadySeconds = 300;
/** The time that a server gets to write what it has in memory. */
export const databaseEndSeconds = 30;

/** Returns a script without its comments and empty lines. Comments in the text that it writes have two tabs. */
export const withoutComments = (script: string): string =>
  script
    .split('\n')
    .filter((line) => !/^\s*(?:#|$)/.test(line) || line.startsWith('\t\t# '))
    .join('\n');
