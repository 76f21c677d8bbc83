/**
 * The part of the control API about all hosts of a fleet, on the host that is its centre.
 *
 *     GET /v1/fleet/hosts
 */

/** A host, as its centre knows it. */
export interface FleetHostRow {
  /** The name of the host. */
  readonly host: string;
  /** The state that the host told; `silent` if it told nothing for three minutes, `unknown` if it told nothing yet. */
  readonly state: string;
  /** The generation in force; null: none, or unknown. */
  readonly generation: number | null;
  /** The number of tenants; null: unknown. */
  readonly tenants: number | null;
  /** The number of incidents of the last 24 hours; null: unknown. */
  readonly faults24h: number | null;
  /** The number of tenants' processes outside their cgroups; null: unknown. */
  readonly outside: number | null;
  /** The number of events that the host has made and the centre does not have; null: unknown. */
  readonly behind: number | null;
  /** The number of events that the host no longer had when it could send them. */
  readonly lost: number;
  /** The time of the last status by the centre's clock, as an ISO time in UTC; null: none has come. */
  readonly heard: string | null;
  /** The part of its tightest resource that is left for more tenants; null: unknown. */
  readonly room: number | null;
  /** The reason of the state. */
  readonly why: string | null;
}

/** The hosts of a fleet, as the process of its centre has written them. Nothing of it is verified by the agent. */
export interface FleetHostsResponse {
  /** Whether this host is the centre of a fleet. */
  readonly isCentre: boolean;
  /** The name of the fleet; absent if this host is not one, or if what its centre has written cannot be read. */
  readonly fleet?: string;
  /** The time when the centre has written it, in milliseconds since 1970: states and counts are those of then. */
  readonly at?: number;
  /** Whether the centre still writes: false if that is older than a minute. */
  readonly isCurrent?: boolean;
  /** The number of hosts; `hosts` has 10,000 of them at most. */
  readonly count: number;
  /** Hosts of the published release, and hosts that have told something, by their names. */
  readonly hosts: readonly FleetHostRow[];
  /** The release that is published, and its rollout; absent if none can be read. */
  readonly rollout?: FleetHostsRollout;
  /** Sentences about something that does not work. */
  readonly problems: readonly string[];
}

export interface FleetHostsRollout {
  /** The number of the release. */
  readonly generation: number;
  /** The waves, the first one first. */
  readonly waves: readonly FleetWave[];
  /** The last record, also if it is about another release; absent if there is none. */
  readonly record?: FleetHostsRecord;
}

/** A wave, and what has become of the release on its hosts. */
export interface FleetWave {
  /** The number of the wave, from 1 on. */
  readonly wave: number;
  /** Whether its hosts may take the release. */
  readonly isOpen: boolean;
  /** The number of hosts. */
  readonly hosts: number;
  /** The number of hosts on which the release is healthy or confirmed. */
  readonly healthy: number;
  /** The number of hosts that have it, or check it, and are not done. */
  readonly begun: number;
  /** The number of hosts that refused it, or went back from it. */
  readonly failed: number;
  /** The number of hosts of which nothing is known now: silent, or never heard. */
  readonly unknown: number;
}

/** The last word of a controller. */
export interface FleetHostsRecord {
  /** The release that it is about. */
  readonly generation: number;
  /** `go`: hosts of the open waves take it. `keep`: all do, and confirm it. `hold`: no host begins. `back`: they go back. */
  readonly verdict: 'go' | 'hold' | 'back' | 'keep';
  /** The last wave that is open, from 1 on. */
  readonly wave: number;
  /** The time when it was issued, an ISO time in UTC. */
  readonly issued: string;
  /** Whether it still counted at that time: it is good for a day at most. */
  readonly isFresh: boolean;
  /** The reason, if the controller gave one. */
  readonly reason?: string;
}
