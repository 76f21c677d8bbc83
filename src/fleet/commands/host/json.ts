/** The values that commands about this host in a fleet print with `--json`. Their schemas are generated from these types. */
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';

/** The people who may sign, as a host is told. */
export interface FleetTrustFields {
  /** The version of the trust. */
  readonly trust: number;
  /** How many people must sign. */
  readonly threshold: number;
  /** The people who may sign. */
  readonly people: readonly FleetPersonJson[];
}

/** The trust that a host has from now on. */
export interface FleetTrustResetJson extends FleetTrustFields {
  /** The name of the fleet. */
  readonly fleet: string;
}

/** The membership that was written, or would be. */
export interface FleetJoinJson extends FleetTrustFields {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The name of this host in the fleet. */
  readonly host: string;
  /** Whether it was written; with `--dry-run` it is not. */
  readonly joined: boolean;
}

export interface FleetPersonJson {
  /** The name, as the trust has it. */
  readonly name: string;
  /** The fingerprint of the person's key, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

/** The outcome of a release on this host. */
export interface FleetAcceptJson extends FleetResponse {
  /** The generation of the release that was handed over; absent if it could not be read. */
  readonly generation?: number;
  /** `under way`: it is neither healthy nor back yet. `followed`: it was the record of a rollout. */
  readonly outcome:
    | 'healthy'
    | 'under way'
    | 'unclear'
    | 'rolled back'
    | 'refused'
    | 'failed'
    | 'followed';
  /** A sentence on why it is not healthy. */
  readonly reason?: string;
}

export type FleetStatusJson = FleetResponse;
export type FleetKeepJson = FleetResponse;
export type FleetBackJson = FleetResponse;
export type FleetHoldJson = FleetResponse;
export type FleetResumeJson = FleetResponse;

/** How this host left its fleet, or would. */
export interface FleetLeaveJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** `keep`: the fleet's policy becomes part of the own one. `drop`: only the own one is left. */
  readonly policy: 'keep' | 'drop';
  /** The policy of this host afterwards. */
  readonly text: string;
  /** Whether it was written; with `--dry-run` it is not. */
  readonly left: boolean;
}
