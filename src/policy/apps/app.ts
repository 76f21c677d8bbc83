/** Applications of tenants: what the policy states of each, and its default values. */
import type { Located, Span } from '../diagnostic.ts';

/**
 * How an application gets its socket: a path in the variable PORT, descriptor 3, as systemd passes sockets, or a TCP port
 * in PORT, in a network of its own.
 */
export const appSockets = ['port', 'descriptor', 'tcp'] as const;
export type AppSocket = (typeof appSockets)[number];

export interface App {
  /** The name, unique in the tenant. */
  readonly name: string;
  /** The command line for the tenant's shell. */
  readonly command: string;
  /** The working directory; absent for the home. */
  readonly directory?: string;
  readonly listen: AppSocket;
  /** The path at which web servers connect; absent for the default. */
  readonly socket?: string;
  /** The time without a connection after which it is stopped, in seconds; 0: it runs always. */
  readonly idleSeconds: number;
  /** The number of starts in a minute, above which it is not started again for a while. */
  readonly starts: number;
  /** A file with variables, which is read as the tenant. */
  readonly environment?: string;
  readonly variables: readonly AppVariable[];
  /** The site in whose cgroup and jail it runs; absent for the tenant's own. */
  readonly site?: string;
  /** Whether it is a database server of the tenant's own, to which only the tenant's processes connect. */
  readonly isDatabase?: true;
}

export interface AppVariable {
  readonly name: string;
  readonly value: string;
}

/** `<app name="blog" command="node server.js" directory="/home/alice/blog"/>` */
export interface AppElement extends Span, Omit<App, 'name' | 'socket' | 'site' | 'isDatabase'> {
  readonly name: Located<string>;
  readonly socket?: Located<string>;
}

/** `<apps max="3"/>` */
export interface OwnAppsElement extends Span {
  readonly max: number;
}

/** How long a request can wait for a start again is what it costs to be idle: minutes, not seconds. */
export const idleDefaultSeconds = 15 * 60;
export const startsDefault = 5;
export const startsMax = 100;
/** The most applications of one tenant; it may define as many again itself. */
export const appsMax = 50;
export const appVariablesMax = 100;

export const appNamePattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
export const variablePattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Variables that the launcher or the service sets. Source: check_variable() of entry/parse.c. */
const setAfresh: ReadonlySet<string> = new Set([
  'HOME',
  'SHELL',
  'USER',
  'LOGNAME',
  'PATH',
  'IFS',
  'PWD',
  'OLDPWD',
  'PORT',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
  'NOTIFY_SOCKET',
]);

/** Whether the policy may not set it. The dynamic loader obeys variables with `LD_` while the launcher is root. */
export const isReservedVariable = (name: string): boolean =>
  setAfresh.has(name) || name.startsWith('LD_') || name.startsWith('GLIBC_');
