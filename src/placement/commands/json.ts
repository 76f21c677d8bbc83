/** The values that `bulkhead placement` prints with `--json`. Schemas are generated from these types. */
import type { KeptStrictEvent } from '../io/known-events.ts';
import type { StrictState } from '../io/strict.ts';

/** Whether strict placement is in force, and what it refused. */
export interface PlacementStatusJson
  extends
    Pick<StrictState, 'placement' | 'modules'>,
    Partial<Omit<StrictState, 'placement' | 'modules'>> {
  /** Uids of tenants of the policy that are missing in the kernel; null if that is unknown. */
  readonly notEnforced: readonly number[] | null;
  /** The reason why it cannot be on here; null where it can. */
  readonly obstacle: string | null;
  /** The last events, the oldest first. */
  readonly events: readonly KeptStrictEvent[];
}

/** The state after the kernel was reconciled with the policy; only `changed` if it is off. */
export interface PlacementSyncJson extends Partial<StrictState> {
  /** Whether anything had to be changed. */
  readonly changed: boolean;
}
