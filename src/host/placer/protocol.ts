/**
 * What the placer and its supervisor say to each other: one JSON line a message.
 *
 *     → {"kind":"targets","tree":{"version":1,"hierarchies":[…]},"targets":[[1001,"u1001"]],"containers":"leave"}
 *     → {"kind":"scan","id":7}
 *     → {"kind":"ping","id":12}
 *     ← {"kind":"status","state":"on","filtered":true,"events":3,…,"pong":12,"scanned":7}
 *     ← {"kind":"missing","groups":["u1001"]}
 *
 * A targets line replaces the one before. The placer ends when its standard input does.
 */

/** One hierarchy, as the placer opens it and finds it in /proc/PID/cgroup. */
export interface PlacerHierarchy {
  readonly name: string;
  /** A controller of the hierarchy as the kernel names it (`blkio`); empty on v2. */
  readonly controller: string;
  readonly mountPoint: string;
  /** Bulkhead's root group below the mount point: `bulkhead`. */
  readonly rootGroup: string;
  /** The same as /proc/PID/cgroup has it: `/bulkhead`. */
  readonly path: string;
}

export interface PlacerTree {
  readonly version: 1 | 2;
  readonly hierarchies: readonly PlacerHierarchy[];
}

export interface TargetsCommand {
  readonly kind: 'targets';
  readonly tree: PlacerTree;
  /** uid and group below Bulkhead's root group. */
  readonly targets: readonly (readonly [uid: number, group: string])[];
  /** Processes in a container's or another manager's group; those of systemd's user managers stay. */
  readonly containers: 'leave' | 'move';
}

export type PlacerCommand =
  TargetsCommand | { readonly kind: 'scan' | 'ping'; readonly id: number };

export interface PlacerOutside {
  readonly pid: number;
  readonly uid: number;
  readonly reason: string;
}

/** Counters are since the placer started. */
export interface PlacerStatus {
  readonly kind: 'status';
  /** `off`: the kernel reports nothing here, and all processes are looked at instead. */
  readonly state: 'on' | 'off';
  readonly problem?: string;
  readonly filtered?: boolean;
  readonly events: number;
  readonly placed: number;
  readonly overruns: number;
  /** Messages that did not come from the kernel, and were ignored. */
  readonly foreign: number;
  /** At the last look at all processes: at most `mostOutside`. */
  readonly outside: readonly PlacerOutside[];
  readonly lookedAt?: number;
  /** The ids of the last ping, and of the last asked-for look that is done. */
  readonly pong: number;
  readonly scanned: number;
}

export interface PlacerMissing {
  readonly kind: 'missing';
  readonly groups: readonly string[];
}

export type PlacerEvent = PlacerStatus | PlacerMissing;

export const mostOutside = 1_000;
export const mostMissing = 1_000;
/** Two hundred thousand tenants. */
export const mostCommandBytes = 8 * 2 ** 20;
/** A thousand processes outside, each with its reason. */
export const mostEventBytes = 2 ** 20;
