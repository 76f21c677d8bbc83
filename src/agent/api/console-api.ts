/** The responses of the console's own requests; see api.ts for the others. */
import type { LimitKey } from '../../limits/limit.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';

/** A login code. */
export interface ConsoleCodeResponse {
  /** The code: good once. It is a secret; a URL carries it in its fragment. */
  readonly code: string;
  /** The account of the session. */
  readonly user: string;
  /** Whether the session can change nothing. */
  readonly readOnly: boolean;
  /** The time within which it must be used. */
  readonly expiresInSeconds: number;
}

/** A session of the console. */
export interface ConsoleSessionResponse {
  /** The id, which is not a secret. */
  readonly id: string;
  /** The account whose rights it has. */
  readonly user: string;
  /** The uid of the account. */
  readonly uid: number;
  /** Whether it shows the host, or only members that the account may see. */
  readonly role: 'administrator' | 'member';
  /** The account that asked for the login: the same one, root, or the tenant's reseller. */
  readonly by: string;
  /** Whether it can change nothing. */
  readonly readOnly: boolean;
  /** Whether it is the caller's own. */
  readonly isCurrent: boolean;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The time after which it ends without a request that somebody made. */
  readonly idleSecondsLeft: number;
  /** The time after which it ends in any case. */
  readonly secondsLeft: number;
}

/** A new session. */
export interface ConsoleSessionStart extends ConsoleSessionResponse {
  /** The token, a secret: `Authorization: Bearer …`. */
  readonly token: string;
}

/** The sessions that the caller may see, the oldest first. */
export interface ConsoleSessionsResponse {
  /** The sessions. */
  readonly sessions: readonly ConsoleSessionResponse[];
}

/** The last tick, in columns: the first number of each belongs to the first member. */
export interface ConsoleFrame {
  /** The time when the tick ended, in milliseconds since 1970. */
  readonly at: number;
  readonly durationSeconds: number;
  /** Changes when a policy is adopted: names, packages and limits may be others, and `/v1/top?all=1` has them. */
  readonly generation: number;
  readonly host: { readonly cores: number; readonly memoryBytes: number };
  /** The members that the session may see, without idle ones. */
  readonly members: readonly Member[];
  /** CPU in cores, memory in bytes, rates per second, with four digits. */
  readonly usage: Readonly<Record<MetricKey, readonly number[]>>;
  /** The limits that each hit in the tick. */
  readonly limitsHit: readonly (readonly LimitKey[])[];
  /** The number of idle members. */
  readonly idle: number;
}

/** The result of ending sessions. */
export interface ConsoleEndResponse {
  /** The number of sessions that were ended. */
  readonly ended: number;
}
