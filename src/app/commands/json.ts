/** The values that `bulkhead app` prints with `--json`. Schemas are generated from these types. */
import type { AppState } from '../core/state.ts';

/** The applications of the policy, and their states. */
export interface AppStatusJson {
  /** The applications, by uid and name. */
  readonly apps: readonly AppRow[];
}

export interface AppRow {
  /** The application, as `TENANT/NAME`. */
  readonly name: string;
  readonly uid: number;
  /** The site in whose cgroup and jail it runs; absent for the tenant's own. */
  readonly site?: string;
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

/** The last lines of an application's log. */
export interface AppLogJson {
  /** The application, as `TENANT/NAME`. */
  readonly name: string;
  /** The lines, the oldest first. */
  readonly lines: readonly string[];
}
