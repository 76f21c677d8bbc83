/**
 * A database server of a tenant's own, next to the servers that tenants share:
 *
 *     <database instance="own"/>
 *
 * It is an application of the tenant that Bulkhead knows: systemd keeps its socket, and it starts with the first
 * connection. Source of the figures: measured with MariaDB 11.8, 44 MiB of memory with small settings.
 */
import type { databaseInstances } from '../../limits/database.ts';
import type { App } from '../apps/app.ts';
import type { AppState } from '../apps/app-state.ts';

export type DatabaseInstance = (typeof databaseInstances)[number];

/** The application. Its command is made with its unit. */
export const ownDatabase: App = {
  name: 'mariadb',
  command: 'mariadbd',
  listen: 'port',
  idleSeconds: 600,
  starts: 5,
  variables: [],
  isDatabase: true,
};

/**
 * Returns the directory with the sockets of tenants' own servers, which is mounted into each tenant's jail. Each socket is
 * in a directory that has the tenant's uid as its name.
 */
export const databaseSocketsDirectory = (instance: string): string => `/run/${instance}/databases`;

/** Tenants find their own directory in it, and cannot list the others. */
export const databaseSocketsMode = 0o711;

/** A tenant's own server, as its administrator sees it. */
export interface OwnDatabase {
  /** The tenant's name. */
  readonly tenant: string;
  readonly uid: number;
  /** The path at which only processes of the tenant can connect. */
  readonly socket: string;
  readonly state: AppState;
  /** The reason for the state; absent if there is no more to say. */
  readonly reason?: string;
  /** The time of the last start or stop, in milliseconds since 1970; absent if it is not known. */
  readonly since?: number;
  /** The memory that its processes take, shared pages divided, in bytes; absent if it does not run, or is not known. */
  readonly memoryBytes?: number;
}
