/** The values that `console` commands print with `--json`. */
import type {
  ConsoleCodeResponse,
  ConsoleEndResponse,
  ConsoleLoginsResponse,
  ConsoleSessionsResponse,
} from '../../agent/api/console-api.ts';

/** `bulkhead console login` */
export interface ConsoleLoginJson extends ConsoleCodeResponse {
  /** Follows the address of the console: `/#code=…`. Browsers do not send this part to any server. */
  readonly path: string;
  /** The socket of the console, which a web server or an SSH tunnel leads to. */
  readonly socket: string;
}

/** `bulkhead console sessions` */
export type ConsoleSessionsJson = ConsoleSessionsResponse;

/** `bulkhead console logins` */
export type ConsoleLoginsJson = ConsoleLoginsResponse;

/** `bulkhead console end` */
export type ConsoleEndJson = ConsoleEndResponse;

/** `bulkhead console status` */
export interface ConsoleStatusJson {
  /** The socket of the console. */
  readonly socket: string;
  /** Whether a program listens on it. */
  readonly listening: boolean;
  /** The number of sessions that you may see; null if the agent does not answer. */
  readonly sessions: number | null;
  /** Why the number of sessions is not known; null if it is. */
  readonly problem: string | null;
}
