/** The states of applications; `app/core/state.ts` decides which one an application has. */

/**
 *     running         its program runs
 *     idle            it starts with the next request
 *     failed          its program ended with an error, and starts with the next request
 *     crash loop      it was started too often, and is not for some minutes
 *     tenant stopped  "bulkhead stop" keeps its tenant out
 *     disabled        "bulkhead app disable" keeps it out
 *     not allowed     its tenant defined it, and the policy does not allow it
 *     not applied     its units are not as the policy says, or its socket is not open; "bulkhead apply" corrects that
 *     unknown         systemd did not answer, or is not the init here, or only root can tell
 */
export const appStates = [
  'running',
  'idle',
  'failed',
  'crash loop',
  'tenant stopped',
  'disabled',
  'not allowed',
  'not applied',
  'unknown',
] as const;
export type AppState = (typeof appStates)[number];

/** An application, as its administrator and its tenant see it. */
export interface AppRow {
  /** The application, as `TENANT/NAME`. */
  readonly name: string;
  readonly uid: number;
  /** The site in whose cgroup and jail it runs; absent for the tenant's own. */
  readonly site?: string;
  /** Whoever defined it: the administrator in the policy, or the tenant. */
  readonly by: 'policy' | 'tenant';
  /** The command line. */
  readonly command: string;
  /** The path at which web servers connect. */
  readonly socket: string;
  /** The systemd unit of its program. */
  readonly unit: string;
  /** The state of its socket and program together. */
  readonly state: AppState;
  /** The reason for the state; absent if there is no more to say. */
  readonly reason?: string;
}
