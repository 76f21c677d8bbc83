/** The values that `fleet` commands print with `--json`. Their schemas are generated from these types. */

/** A person who may sign. */
export interface FleetPersonJson {
  /** The name of the person. */
  readonly name: string;
  /** The SSH public key. */
  readonly key: string;
}

/** A version of the trust. */
export interface FleetTrustVersionJson {
  /** The version, from 1 on. */
  readonly version: number;
  /** The number of people who must sign. */
  readonly threshold: number;
  /** The time until which it is good. */
  readonly expires: string;
  /** The people who may sign. */
  readonly people: readonly FleetPersonJson[];
}

/** A version of the trust that too few people have signed. */
export interface FleetTrustWaitingJson extends FleetTrustVersionJson {
  /** The people who have signed it. */
  readonly signed: readonly string[];
  /** The number of people who must still sign it. */
  readonly missing: number;
}

/** `bulkhead fleet trust show` */
export interface FleetTrustShowJson extends FleetTrustVersionJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The next version, which waits for signatures; null if there is none. */
  readonly next: FleetTrustWaitingJson | null;
}

/** `bulkhead fleet trust add` */
export type FleetTrustAddJson = FleetTrustShowJson;

/** `bulkhead fleet trust remove` */
export type FleetTrustRemoveJson = FleetTrustShowJson;

/** `bulkhead fleet trust threshold` */
export type FleetTrustThresholdJson = FleetTrustShowJson;

/** `bulkhead fleet trust renew` */
export type FleetTrustRenewJson = FleetTrustShowJson;

/** `bulkhead fleet trust sign` */
export type FleetTrustSignJson = FleetTrustShowJson;

/** `bulkhead fleet init` */
export interface FleetInitJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The directory. */
  readonly directory: string;
  /** The people who may sign. */
  readonly people: readonly FleetPersonJson[];
  /** The time until which the trust is good. */
  readonly expires: string;
}

/** `bulkhead fleet sign` */
export interface FleetSignJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The number of the release. */
  readonly generation: number;
  /** The number of hosts. */
  readonly hosts: number;
  /** The number of hosts whose policy is not the one of the release before; null without one. */
  readonly changed: number | null;
  /** The number of waves. */
  readonly waves: number;
  /** Whether the people who sign agree to a large change. */
  readonly large: boolean;
  /** The time until which hosts accept the release. */
  readonly expires: string;
  /** The people who have signed. */
  readonly signed: readonly string[];
  /** The number of people who must still sign. */
  readonly missing: number;
  /** Whether a signature was made now; otherwise nothing has changed since this release. */
  readonly isNew: boolean;
}

/** `bulkhead fleet publish` */
export interface FleetPublishJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The number of the release. */
  readonly generation: number;
  /** The directory with `trust.json` and `hosts/`. */
  readonly directory: string;
  /** The number of hosts. */
  readonly hosts: number;
  /** The number of files that were written; those that had the same text stay. */
  readonly written: number;
  /** The number of files that were removed, of hosts that left the fleet. */
  readonly removed: number;
}

/** `bulkhead fleet pull` */
export interface FleetPullJson {
  /** The address of the release. */
  readonly url: string;
  /** Whether the server has the same release as before. */
  readonly isSame: boolean;
  /** The state of this host in its fleet; null if the agent takes the release later. */
  readonly state: string | null;
}
