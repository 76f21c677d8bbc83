/** The centre of a fleet, as far as a controller needs it: a published directory, or servers. */
import type { FleetState } from '../../../agent/api/fleet-api.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';

/** A host's status, as far as a rollout depends on it. */
export interface RolloutStatus {
  readonly state: FleetState;
  /** The generation in force; null: none, or unknown. */
  readonly generation: number | null;
  /** The newest generation that the host has verified, in force or not; null: none, or unknown. */
  readonly newest: number | null;
  /** The root of that one: its state is about another release if it has another root; null: none, or unknown. */
  readonly root: string | null;
  /** The time when the centre received it, by the centre's clock, in milliseconds since 1970. */
  readonly receivedAt: number;
}

/** A record as the centre keeps it. */
export interface StoredRecord {
  /** The file of the record: its exact text, with the signature. */
  readonly text: string;
  /** The number that the centre gave it. */
  readonly sequence: number;
}

/** The outcome for a record that was put. `conflict`: another controller was faster, and nothing was stored. */
export type Put =
  | { readonly kind: 'stored'; readonly sequence: number }
  | { readonly kind: 'conflict' };

export interface Centre {
  /** The last record; undefined: there is none. */
  readonly record: () => Promise<Result<StoredRecord | undefined, Problem>>;
  /** Stores a record if the last one still has this number; 0: if there is none. */
  readonly put: (text: string, expectedSequence: number) => Promise<Result<Put, Problem>>;
}
