/**
 * The protocol between the placer and its supervisor: one JSON line per message.
 *
 *     → {"kind":"targets","tree":{"version":1,"hierarchies":[…]},"targets":[[1001,"u1001"]],
 *        "subordinate":[[100000,165535,1001]],"containers":"leave"}
 *     → {"kind":"scan","id":7}
 *     → {"kind":"ping","id":12}
 *     ← {"kind":"status","state":"on","filtered":true,"events":3,…,"pong":12,"scanned":7}
 *     ← {"kind":"missing","cgroups":["u1001"]}
 *     ← {"kind":"halted","tenants":[1001],"moved":16,"milliseconds":12,"settled":true}
 *
 * A targets line replaces the previous one. The placer exits when its standard input ends.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import type { SubordinateUids } from '../accounts/subordinate-uids.ts';

/** One hierarchy, as the placer opens it and finds it in /proc/PID/cgroup. */
export interface PlacerHierarchy {
  readonly name: string;
  /** A controller of the hierarchy as the kernel names it (`blkio`); empty on v2. */
  readonly controller: string;
  readonly mountPoint: string;
  /** Bulkhead's root cgroup below the mount point: `bulkhead`. */
  readonly rootCgroup: string;
  /** The same as in /proc/PID/cgroup: `/bulkhead`. */
  readonly path: string;
  /** The slices, if tenants without a reseller are systemd slices. */
  readonly slices?: PlacerSlices;
}

export interface PlacerSlices {
  /** The path as in /proc/PID/cgroup: `/user.slice`. */
  readonly path: string;
  /** The instance, which is part of the names of the scopes in the slices. */
  readonly instance: string;
}

export interface PlacerTree {
  readonly version: 1 | 2;
  readonly hierarchies: readonly PlacerHierarchy[];
}

export interface TargetsCommand {
  readonly kind: 'targets';
  readonly tree: PlacerTree;
  /** uid and cgroup below Bulkhead's root cgroup; `home` is the cgroup to move processes to, if it differs. */
  readonly targets: readonly (readonly [uid: number, cgroup: string, home?: string])[];
  /** Other uids of those tenants, ascending and disjoint. */
  readonly subordinate: readonly SubordinateUids[];
  /**
   * The treatment of processes in a cgroup of a container or another manager. Processes of systemd's user managers
   * always stay.
   */
  readonly containers: 'leave' | 'move';
}

export type PlacerCommand =
  | TargetsCommand
  | { readonly kind: 'scan' | 'ping'; readonly id: number };

export interface PlacerOutside {
  readonly pid: number;
  readonly uid: number;
  readonly reason: string;
}

/** The placer's status. Counters are since it started. */
export interface PlacerStatus {
  readonly kind: 'status';
  /** `off`: the kernel reports nothing here, and all processes are scanned instead. */
  readonly state: 'on' | 'off';
  readonly problem?: Problem;
  readonly filtered?: boolean;
  readonly events: number;
  readonly migrated: number;
  readonly overruns: number;
  /** Messages that did not come from the kernel, and were ignored. */
  readonly foreign: number;
  /** Processes outside at the last full scan; at most `outsideMax`. */
  readonly outside: readonly PlacerOutside[];
  /** Reasons why it is unknown where all processes are; empty if known; at most `unknownMax`. */
  readonly unknown: readonly string[];
  readonly scannedAt?: number;
  /** The share of the processes that the first scan has inspected: 0 to 1; absent once it is complete. */
  readonly progress?: number;
  /** The ids of the last ping, and of the last requested scan that is done. */
  readonly pong: number;
  readonly scanned: number;
}

interface PlacerMissing {
  readonly kind: 'missing';
  readonly cgroups: readonly string[];
}

/** A report on tenants that started processes faster than they could be placed: they were stopped and continued. */
export interface PlacerHalted {
  readonly kind: 'halted';
  readonly tenants: readonly number[];
  readonly moved: number;
  readonly milliseconds: number;
  /** Whether no process was left outside. */
  readonly settled: boolean;
}

export type PlacerEvent = PlacerStatus | PlacerMissing | PlacerHalted;

export const outsideMax = 1_000;
export const missingMax = 1_000;
export const unknownMax = 20;
/** Enough for two hundred thousand tenants, each with a range of subordinate uids. */
export const commandBytesMax = 16 * 2 ** 20;
/** Enough for a thousand processes outside, each with its reason. */
export const eventBytesMax = 2 ** 20;
