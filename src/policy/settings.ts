/** Settings of the agent: the policy's `<agent>`, with defaults filled in. */
import type { LimitKey, Severity } from '../limits/limit.ts';

export interface AgentSettings {
  /** Time between two ticks. */
  readonly intervalSeconds: number;
  /** The treatment of processes of tenants' uids in a container, or in another manager's cgroup. */
  readonly containers: 'leave' | 'move';
  /** The TCP address of the API; only loopback, and only with a token. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** A file that only root can read. */
  readonly tokenFile: string | undefined;
  readonly history: HistorySettings;
  readonly alerts: AlertSettings;
}

/** The time that history is kept, in milliseconds, and its maximum size in bytes. */
export interface HistorySettings {
  readonly detailMilliseconds: number;
  readonly summaryMilliseconds: number;
  readonly incidentsMilliseconds: number;
  readonly bytesMax: number;
  /** The address to which it is pushed; absent if there is none. */
  readonly pushUrl?: string;
}

export interface AlertSettings {
  /** Sender of mail; default: `bulkhead@HOST`. */
  readonly from: string | undefined;
  /** `HOST:PORT` of a mail server; default: sendmail. */
  readonly smtp: { readonly host: string; readonly port: number } | undefined;
  /** The rules; no alerts if empty. */
  readonly rules: readonly AlertRule[];
  /** Regular mail to customers and resellers; absent if there is none. */
  readonly digests?: readonly DigestRule[];
}

export const weekdays = [
  'sunday',
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
] as const;
export type Weekday = (typeof weekdays)[number];

/** One mail a day or a week to each tenant or reseller for whom there is something to report. */
export interface DigestRule {
  readonly to: 'reseller' | 'tenant';
  /** The address; `%u` stands for the account. Absent: as for an `AlertRule`. */
  readonly address: string | undefined;
  readonly every: 'day' | 'week';
  /** The day of a weekly digest. */
  readonly day: Weekday;
  /** The time of day on this host, in minutes since midnight. */
  readonly atMinutes: number;
  /** The share of a limit from which use is reported: 0.8 for 80 %. */
  readonly useFraction: number;
  /** Disk space that will be full within this time is reported. */
  readonly fullMilliseconds: number;
  /** The language of the texts: `en`, `de`. */
  readonly language: string;
  /** The smallest share that receivers may choose themselves; absent if they may choose nothing. */
  readonly useMin?: number;
  /** The maximum number of messages for one day or week. */
  readonly messagesMax: number;
}

/** The subjects of alerts that are not limits, by their word in `limits` of a rule: `jail` is `jail.isolation`. */
export type AlertWords = ReadonlyMap<string, readonly LimitKey[]>;

/**
 * The subject that is the host itself: protection that should be in force and is not, and refusals that concern no
 * tenant. Only for the administrator.
 */
export const hostProtection: LimitKey = 'host.protection';

export interface AlertRule {
  readonly to: 'administrator' | 'reseller' | 'tenant';
  /**
   * A mail address, or a URL to post to. `%u` stands for the account of the reseller or tenant,
   * whose local mailbox is the default.
   */
  readonly by: 'mail' | 'webhook';
  readonly address: string | undefined;
  /** Limits and other subjects; all if empty. */
  readonly limits: readonly LimitKey[];
  /** The minimum severity. */
  readonly severity: Severity;
  /** The number of faults in an incident before an alert is sent. */
  readonly faults: number;
  /** Minimum time between two messages about one member and limit to one receiver. */
  readonly everyMilliseconds: number;
}

const hour = 3_600_000;
const day = 24 * hour;

export const defaultSettings: AgentSettings = {
  intervalSeconds: 5,
  containers: 'leave',
  listen: undefined,
  tokenFile: undefined,
  history: {
    detailMilliseconds: 2 * day,
    summaryMilliseconds: 400 * day,
    incidentsMilliseconds: 400 * day,
    bytesMax: 2 * 2 ** 30,
  },
  alerts: { from: undefined, smtp: undefined, rules: [] },
};
