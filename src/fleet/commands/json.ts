/** The values that `fleet` commands print with `--json`. Their schemas are generated from these types. */
import type { Diagnostic } from '../../policy/diagnostic.ts';
import type { Explanation } from '../../policy/explain.ts';
import type { FleetValueChange, LargeHostChange } from '../../policy/fleet/plan/plan-fleet.ts';
import type { HostOverview } from '../core/told/host-overview.ts';

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
  /** The keys that lead rollouts; empty: hosts take releases as they come. */
  readonly controllers: readonly FleetPersonJson[];
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
  /** The number of hosts whose policy differs from the last release; null without one. */
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

/** `bulkhead fleet render` */
export interface FleetRenderJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The host. */
  readonly host: string;
  /** The number of its wave, from 1 on. */
  readonly wave: number;
  /** The plain policy. */
  readonly text: string;
}

/** `bulkhead fleet explain`: like `bulkhead explain`, on a host. */
export interface FleetExplainJson extends Omit<Explanation, 'uid'> {
  /** The host. */
  readonly host: string;
  /** The uid, if the policy names the tenant by it. */
  readonly uid?: number;
}

/** `bulkhead fleet check` */
export interface FleetCheckJson {
  /** Whether there is no error. */
  readonly ok: boolean;
  /** The mistakes; messages name hosts if they are not about all of them. */
  readonly diagnostics: readonly Diagnostic[];
  /** The name of the fleet; absent if the policy could not be read. */
  readonly fleet?: string;
  /** The number of hosts. */
  readonly hosts: number;
  /** The number of groups. */
  readonly groups: number;
  /** The number of waves. */
  readonly waves: number;
  /** The number of different policies of hosts. */
  readonly policies: number;
}

/** `bulkhead fleet plan` */
export interface FleetPlanJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The number that the next release will have. */
  readonly generation: number;
  /** The number of hosts. */
  readonly hosts: number;
  /** The hosts whose policy changes. */
  readonly changing: readonly string[];
  /** The number of hosts whose policy stays the same. */
  readonly same: number;
  /** The hosts that the last release does not have. */
  readonly new: readonly string[];
  /** The hosts of the last release that leave the fleet. */
  readonly leaving: readonly string[];
  /** The values that change, those of most tenants first. */
  readonly changes: readonly FleetValueChange[];
  /** The hosts on which the change is large, so that they refuse it unless people agree when they sign. */
  readonly large: readonly LargeHostChange[];
}

/** `bulkhead fleet server init` */
export interface FleetServerInitJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The directory with the keys. */
  readonly directory: string;
  /** The DNS names of the servers. */
  readonly servers: readonly string[];
}

/** `bulkhead fleet server add` */
export interface FleetServerAddJson extends FleetServerInitJson {
  /** The hosts whose file is not in the directory any more, so that it names one server only. */
  readonly without: readonly string[];
}

/** The credential of a host. */
export interface FleetHostFileJson {
  /** The name of the host. */
  readonly host: string;
  /** The file, which is a secret. */
  readonly file: string;
}

/** `bulkhead fleet host add` */
export interface FleetHostAddJson {
  /** The hosts that have a credential now. */
  readonly added: readonly FleetHostFileJson[];
}

/** `bulkhead fleet host remove` */
export interface FleetHostRemoveJson {
  /** The name of the host. */
  readonly host: string;
  /** The number of servers that let it in no longer. */
  readonly servers: number;
  /** The number of all servers. */
  readonly of: number;
}

/** A server of a fleet. */
export interface FleetServerJson {
  /** The address. */
  readonly address: string;
  /** The version of nats-server; null if the server did not answer. */
  readonly version: string | null;
  /** The problems of this server. */
  readonly problems: readonly string[];
  /** Advisories about its version that do not concern this configuration, with the reason. */
  readonly advisories: readonly string[];
}

/** `bulkhead fleet server check` */
export interface FleetServerCheckJson {
  /** Whether there is no problem. */
  readonly ok: boolean;
  /** The servers. */
  readonly servers: readonly FleetServerJson[];
  /** The problems of all servers together. */
  readonly problems: readonly string[];
}

/** `bulkhead fleet server hosts` */
export interface FleetServerHostsJson {
  /** The hosts that have told something. */
  readonly hosts: readonly HostOverview[];
}

/** The hosts of a wave, by what became of the release there. */
export interface FleetRolloutCountsJson {
  /** The number of hosts on which it is healthy. */
  readonly healthy: number;
  /** The number of hosts that refused it, or went back. */
  readonly failed: number;
  /** The number of hosts that say nothing, that root holds, or whose watch was unclear. */
  readonly silent: number;
  /** The number of hosts that have not decided. */
  readonly undecided: number;
}

/** A wave of a release. */
export interface FleetRolloutWaveJson {
  /** The number of the wave, from 1 on. */
  readonly wave: number;
  /** The number of hosts. */
  readonly hosts: number;
  /** Whether its hosts may take the release. */
  readonly isOpen: boolean;
  /** The hosts as the centre here knows them; null if the wave is not open, or if no centre is here. */
  readonly counts: FleetRolloutCountsJson | null;
  /** The judgement. `unclear`: people decide. Null: there are no counts, or its hosts go back. */
  readonly verdict: 'passed' | 'failed' | 'unclear' | 'watching' | null;
}

/** The last record of a rollout. */
export interface FleetRolloutRecordJson {
  /** The release that it is about. */
  readonly generation: number;
  /** `go`: hosts of the open waves take it. `keep`: all do, and confirm it. `hold`: no host begins. `back`: they go back. */
  readonly verdict: 'go' | 'hold' | 'back' | 'keep';
  /** The last wave that is open. */
  readonly wave: number;
  /** The time when it was issued, an ISO time in UTC. */
  readonly issued: string;
  /** The time when it expires, an ISO time in UTC. */
  readonly expires: string;
  /** Whether hosts count it. */
  readonly isFresh: boolean;
  /** The reason; empty if there is none. */
  readonly reason: string;
}

/** `bulkhead fleet rollout status` */
export interface FleetRolloutJson {
  /** The name of the fleet. */
  readonly fleet: string;
  /** The release that is published. */
  readonly generation: number;
  /** The waves of that release, the first one first. */
  readonly waves: readonly FleetRolloutWaveJson[];
  /** The last record, also if it is about another release; null if there is none. */
  readonly record: FleetRolloutRecordJson | null;
  /** The controller as which the centre here leads rollouts; null: people lead them. */
  readonly leader: string | null;
  /** Sentences about something that does not work. */
  readonly problems: readonly string[];
}

export type FleetRolloutStatusJson = FleetRolloutJson;
export type FleetRolloutStartJson = FleetRolloutJson;
export type FleetRolloutNextJson = FleetRolloutJson;
export type FleetRolloutPauseJson = FleetRolloutJson;
export type FleetRolloutResumeJson = FleetRolloutJson;
export type FleetRolloutBackJson = FleetRolloutJson;
export type FleetRolloutRenewJson = FleetRolloutJson;
