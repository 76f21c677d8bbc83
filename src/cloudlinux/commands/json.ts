/** The values that CloudLinux's commands print with `--json`, in CloudLinux's shapes. Schemas are generated from these types. */
import type { ProcessEvidence } from '../../usage/incident.ts';
import type { LveStatus } from '../io/wrappers.ts';
import type { LveRow } from './rows.ts';
import type { PanelConfig } from './config/config-reply.ts';
import type { PanelUsers } from './limits/limits-reply.ts';
import type { PanelPackages } from './limits/packages-reply.ts';
import type { PanelFailure, PanelSuccess } from './limits/panel-reply.ts';
import type { StatisticsDetails, StatisticsSummary } from './statistics/statistics-shape.ts';
import type { Top } from './top-shape.ts';

/** The limits, a text, or the result of a change. */
export type LvectlJson = LvectlRows | LvectlText | LvectlResult;

export interface LvectlRows {
  /** The tenants and their limits. */
  readonly data: readonly LveRow[];
}

/** The answer of `version` and `lve-version`. */
export interface LvectlText {
  /** The version. */
  readonly data: string;
}

export interface LvectlResult {
  /** `success`, or the reason for the failure. */
  readonly result: string;
  /** Notes for people. */
  readonly warnings?: readonly string[];
}

/** Usage by tenant. The chosen columns are the names of fields. */
export interface LveinfoJson {
  /** 1, or 0 for a failure. */
  readonly success: 0 | 1;
  /** The reason for a failure. */
  readonly message?: string;
  /** CPU is in percent of a core, memory in bytes, IO in bytes per second; null if not measured. */
  readonly data: readonly Readonly<Record<string, string | number | null>>[];
}

/** The tenants, and what they use now. */
export type CloudlinuxTopJson = Top | CloudlinuxTopFailure;

export interface CloudlinuxTopFailure {
  /** The reason for the failure. */
  readonly result: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

/** The tenants and their limits, or the result of a change. */
export type CloudlinuxLimitsJson = PanelUsers | PanelSuccess | PanelFailure;

/** The packages and their limits, or the result of a change. */
export type CloudlinuxPackagesJson = PanelPackages | PanelSuccess | PanelFailure;

/** The alert rules of the policy, or the result of a change. */
export type CloudlinuxConfigJson = PanelConfig | PanelSuccess | PanelFailure;

/** The use of tenants in a period, or the parts of the period of one tenant. */
export type CloudlinuxStatisticsJson = StatisticsSummary | StatisticsDetails | StatisticsFailure;

export interface StatisticsFailure {
  /** Values for the reason. */
  readonly context: {
    /** The reason. */
    readonly error_text: string;
  };
  /** A text around the reason. */
  readonly result: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

/** Snapshots of a tenant, or their times. */
export type LveReadSnapshotJson = LveSnapshots | LveSnapshotTimes;

export interface LveSnapshots {
  /** 1, or 0 for a failure. */
  readonly success: 0 | 1;
  /** The reason for a failure. */
  readonly message?: string;
  /** Present if the period has more incidents than were read: earlier ones are missing. */
  readonly incomplete?: true;
  /** The snapshots, the oldest first. */
  readonly snapshots: readonly SnapshotOfIncident[];
}

export interface LveSnapshotTimes {
  /** Always 1. */
  readonly success: 1;
  /** Present if the period has more incidents than were read: earlier ones are missing. */
  readonly incomplete?: true;
  /** The times of snapshots, in seconds since 1970. */
  readonly timestamps: readonly number[];
}

export interface SnapshotOfIncident {
  /** The time, in seconds since 1970. */
  readonly timestamp: number;
  /** The tenant's uid. */
  readonly uid: number;
  /** The limit that was hit, or a capability's word. */
  readonly limit: string;
  /** The number of faults of the whole incident. */
  readonly faults: number;
  /** The heaviest users first. */
  readonly processes: readonly ProcessEvidence[];
  /** The total number of processes. */
  readonly processCount: number;
}

/** CloudLinux's commands on this host. */
export type CloudlinuxStatusJson = LveStatus;
