/** How the agent of this host works: `<agent>` of the policy, everything filled in. */
import type { LimitKey, Severity } from '../limits/limit.ts';

export interface AgentSettings {
  /** Between two looks at everybody. */
  readonly intervalSeconds: number;
  /** Processes of tenants' uids in a container, or in another manager's cgroup. */
  readonly containers: 'leave' | 'move';
  /** Where the API is served over TCP too; only on this host, and only with a token. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** A file that only root can read. */
  readonly tokenFile: string | undefined;
  readonly history: HistorySettings;
  readonly alerts: AlertSettings;
}

/** How long what is kept. Milliseconds, and bytes for all of it. */
export interface HistorySettings {
  readonly detailMilliseconds: number;
  readonly summaryMilliseconds: number;
  readonly incidentsMilliseconds: number;
  readonly bytesMax: number;
}

export interface AlertSettings {
  /** Sender of mail; `bulkhead@HOST` where nothing is written. */
  readonly from: string | undefined;
  /** `HOST:PORT` of a mail server; mail goes through sendmail where nothing is written. */
  readonly smtp: { readonly host: string; readonly port: number } | undefined;
  /** Empty: no alerts. */
  readonly rules: readonly AlertRule[];
}

export interface AlertRule {
  readonly to: 'administrator' | 'reseller' | 'tenant';
  /**
   * Where to: a mail address, or a URL that is posted to. `%u` stands for the account of the
   * reseller or tenant, whose local mailbox it is where nothing is written.
   */
  readonly by: 'mail' | 'webhook';
  readonly address: string | undefined;
  /** Empty: all. */
  readonly limits: readonly LimitKey[];
  /** The least that counts. */
  readonly severity: Severity;
  /** Faults of one member and limit before it is worth a message. */
  readonly faults: number;
  /** Least time between two messages about one member and limit to one receiver. */
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
