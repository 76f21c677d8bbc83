/** The responses of the console's own requests; see api.ts for the others. */
import type { LimitKey } from '../../limits/limit.ts';
import type { Member } from '../../usage/member.ts';
import type { PartKey } from '../../usage/part-keys.ts';

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
  /** The name of the host; only in the caller's own session, and only for administrators. */
  readonly host?: string;
  /** Present if the host is in a fleet, or is the centre of one; only where `host` is. */
  readonly hasFleet?: true;
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

/** The metrics that pages show live. */
export const frameMetrics = [
  'cpu',
  'memory',
  'cache',
  'read',
  'write',
  'reads',
  'writes',
  'threads',
  'processes',
] as const;
export type FrameMetric = (typeof frameMetrics)[number];

/** The last tick, in columns: the first number of each belongs to the first member. */
export interface ConsoleFrame {
  /** The time when the tick ended, in milliseconds since 1970. */
  readonly at: number;
  readonly durationSeconds: number;
  /** Changes when a policy is adopted, also by a new start of the agent: names, packages and limits may be others, and `/v1/top?all=1` has them. */
  readonly generation: number;
  readonly host: { readonly cores: number; readonly memoryBytes: number };
  /** The members that the session may see, without idle ones, unless they hit a limit in the last minute. */
  readonly members: readonly Member[];
  /** CPU in cores, memory in bytes, rates per second, with four digits. */
  readonly usage: Readonly<Record<FrameMetric, readonly number[]>>;
  /** The metrics known by parts of the agent; without what is unknown of all, and null for a site. Others are zero. */
  readonly parts?: Readonly<Partial<Record<PartKey, readonly (number | null)[]>>>;
  /** The limits that each hit in the last minute. */
  readonly limitsHit: readonly (readonly LimitKey[])[];
  /** The limits of which each used at least nine tenths in the last minute, without those that it hit. */
  readonly limitsNear: readonly (readonly LimitKey[])[];
  /** How often each hit its limits in the last five minutes. */
  readonly faults: readonly number[];
  /** The number of members that are left out. */
  readonly idle: number;
  /** The ticks before, in the first frame of a stream and the first one of another generation. */
  readonly past?: ConsolePast;
}

/** The CPU of the members of a frame in the ticks up to its own, the earliest first. */
export interface ConsolePast {
  /** The times when the ticks ended, in milliseconds since 1970; at most 36. */
  readonly at: readonly number[];
  /** The CPU of each member of the frame at these times, in cores; null if it is unknown. */
  readonly cpu: readonly (readonly (number | null)[])[];
}

/** The result of ending sessions. */
export interface ConsoleEndResponse {
  /** The number of sessions that were ended. */
  readonly ended: number;
}

/** A login to the console, or the end of a session. */
export interface ConsoleLogin {
  /** Milliseconds since 1970. */
  readonly at: number;
  /**
   * `began`: a session was started. `ended`: somebody ended it. `refused`: codes or tokens that were not valid; they are
   * counted, and no account is known.
   */
  readonly kind: 'began' | 'ended' | 'refused';
  /** The session's id, which is not a secret. */
  readonly session?: string;
  /** The account whose rights the session has. */
  readonly user?: string;
  /** The uid of the account. */
  readonly uid?: number;
  /** The account that asked for the login, or that ended the session. */
  readonly by?: string;
  /** Whether the session can change nothing. */
  readonly readOnly?: boolean;
  /** How many were refused. */
  readonly count?: number;
}

/** The recorded logins of a period, the latest first. Only root sees them. */
export interface ConsoleLoginsResponse {
  /** The logins, at most `count`. */
  readonly logins: readonly ConsoleLogin[];
}
