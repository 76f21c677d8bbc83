/** The values that `bulkhead app` prints with `--json`. Schemas are generated from these types. */
import type { AppRow } from '../../policy/apps/app-state.ts';

/** The applications of the policy, and their states. */
export interface AppStatusJson {
  /** The applications, by uid and name. */
  readonly apps: readonly AppRow[];
}

/** The last lines of an application's log. */
export interface AppLogJson {
  /** The application, as `TENANT/NAME`. */
  readonly name: string;
  /** The lines, the oldest first. */
  readonly lines: readonly string[];
}
