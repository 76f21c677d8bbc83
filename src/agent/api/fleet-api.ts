/**
 * The part of the control API about this host in a fleet. Root sees and changes it; the account `bulkhead-fleet` may
 * hand over releases, and see their state.
 *
 *     GET  /v1/fleet
 *     GET  /v1/fleet/outbox?epoch=5f0c…&after=40
 *     GET  /v1/fleet/answer?question=…
 *     POST /v1/fleet/release, with the release as its body
 *     POST /v1/fleet/record, with a controller's record as its body
 *     POST /v1/fleet/keep
 *     POST /v1/fleet/back
 *     POST /v1/fleet/hold?seconds=14400&reason=…
 *     POST /v1/fleet/resume
 */

/**
 * The state of this host in its fleet.
 *
 *     none                  it is in no fleet
 *     new                   it has no release
 *     waiting               it has a release whose wave is not open yet
 *     checking              a release is being checked; nothing has changed
 *     applying              a release is written, and may be in force
 *     watching              it is in force, and the host watches its tenants
 *     unclear               the host could not measure enough; people decide
 *     healthy               the watch has passed
 *     confirmed             the host goes back to this one if a later one fails
 *     going back            the confirmed release is being put in force again
 *     refused               the last release was refused; the one before stays
 *     rolled back           the last release failed; the confirmed one is in force
 *     held                  nothing changes, since root said so
 *     frozen                no release, or no word of a controller, has come for a day, or the last release has expired
 *     unsupported version   the last release needs a newer Bulkhead
 *     unknown               the host's record of its fleet cannot be read
 */
export const fleetStates = [
  'none',
  'new',
  'waiting',
  'checking',
  'applying',
  'watching',
  'unclear',
  'healthy',
  'confirmed',
  'going back',
  'refused',
  'rolled back',
  'held',
  'frozen',
  'unsupported version',
  'unknown',
] as const;
export type FleetState = (typeof fleetStates)[number];

/** The response to each request about the fleet. */
export interface FleetResponse {
  /** The state; see docs/fleet.md. */
  readonly state: FleetState;
  /** The name of the fleet; absent if the host is in none. */
  readonly fleet?: string;
  /** The name of this host in the fleet. */
  readonly host?: string;
  /** The servers from which it fetches releases; absent if it asks none. */
  readonly from?: readonly string[];
  /** The words for what the fleet's policy may say here; absent if the host's own policy does not name the fleet. */
  readonly accept?: readonly string[];
  /** The time since the last document with valid signatures was handed over. */
  readonly heardSecondsAgo?: number;
  /** The release in force; absent if there is none. */
  readonly release?: FleetRelease;
  /** The newest generation that was ever handed over with valid signatures. */
  readonly newestGeneration?: number;
  /** The root of that release: another one of the same number has another root. Absent until it began or ended here. */
  readonly newestRoot?: string;
  /** The generation to which the host goes back if a later one fails; absent: only its own policy would be left. */
  readonly confirmedGeneration?: number;
  /** The last release that is not in force. */
  readonly ended?: FleetEnded;
  /** Root's word that nothing changes. */
  readonly hold?: FleetHold;
  /** Whether the trust lists controllers, so that nothing begins without their word; absent if not. */
  readonly hasControllers?: true;
  /** The last word of a controller; absent if there is none, or if the fleet has no controllers. */
  readonly rollout?: FleetRollout;
  /** Sentences about something that does not work. */
  readonly problems: readonly string[];
}

export interface FleetRelease {
  /** The number of the release. */
  readonly generation: number;
  /** The version of the trust under which it was signed. */
  readonly trust: number;
  /** Its own state, whatever else holds for the host. */
  readonly phase: 'applying' | 'watching' | 'unclear' | 'healthy' | 'confirmed' | 'going back';
  /** The time when it came into that state, in milliseconds since 1970. */
  readonly since: number;
  /** The time until the watch ends, or until a healthy release counts as confirmed. */
  readonly secondsLeft?: number;
  /** Sentences on why it is in that state. */
  readonly reasons: readonly string[];
}

export interface FleetEnded {
  /** The number of the release. */
  readonly generation: number;
  /** The version of the trust under which it was signed. */
  readonly trust: number;
  /** The way in which it ended. */
  readonly outcome: 'refused' | 'rolled back';
  /** Sentences on why. */
  readonly reasons: readonly string[];
  /** Milliseconds since 1970. */
  readonly at: number;
}

export interface FleetRollout {
  /** The release that it is about. */
  readonly generation: number;
  /** `go`: hosts of the open waves take it. `keep`: all do, and confirm it. `hold`: no host begins. `back`: they go back. */
  readonly verdict: 'go' | 'hold' | 'back' | 'keep';
  /** The last wave that is open, from 1 on. */
  readonly wave: number;
  /** An ISO time in UTC. */
  readonly issued: string;
  /** Whether it still counts: it is good for a day at most. */
  readonly isFresh: boolean;
  /** The reason, if the controller gave one. */
  readonly reason?: string;
}

export interface FleetHold {
  /** The note of whoever holds it. */
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** The time until it ends by itself. */
  readonly secondsLeft: number;
}

/** The status and the events of a host, for its centre; see docs/fleet.md. */
export interface FleetOutboxResponse {
  /** The name of this host in the fleet. */
  readonly host: string;
  /** The status, as JSON that the host has signed. */
  readonly status: string;
  /** The next events; absent if there are none. */
  readonly events?: FleetOutboxEvents;
}

/** The response to `GET /v1/fleet/answer`. */
export interface FleetAnswerResponse {
  /** The answer, as JSON that the host has signed. */
  readonly answer: string;
}

export interface FleetOutboxEvents {
  /** The record of events in which they are numbered. */
  readonly epoch: string;
  /** The number of the last of them. */
  readonly last: number;
  /** The events, as JSON that the host has signed. */
  readonly signed: string;
}
