/** The values that CloudLinux's commands print with `--json`, in CloudLinux's shapes. Schemas are generated from these types. */
import type { LveStatus } from '../io/wrappers.ts';
import type { LveRow } from './rows.ts';
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

/** CloudLinux's commands on this host. */
export type CloudlinuxStatusJson = LveStatus;
