/** The value that `bulkhead stop` prints with `--json`. Its schema is generated from this type. */
import type { StoppedTenant } from '../io/stop-tenant.ts';

/** The processes that were ended, and those that are left. Processes are listed by their pids. */
export interface StopJson extends StoppedTenant {
  /** The tenant. */
  readonly name: string;
  readonly uid: number;
}
