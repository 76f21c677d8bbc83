/** Counts the bytes that web servers send for each tenant's sites, by the sites' access logs. */
import { setImmediate as othersFirst } from 'node:timers/promises';
import type { SentByWeb } from '../../../agent/api/usage-api.ts';
import type { CountedLog } from '../../core/access-logs/counted-logs.ts';
import { FollowedLog } from './followed-log.ts';
import type { LogsByTenant } from './record.ts';
import type { LogKeepers } from './roots-file.ts';

interface Tenant {
  /** The time since when its bytes are counted, in milliseconds since 1970. */
  since: number;
  /** The bytes of logs that are not followed any more. */
  ended: number;
  /** Subtracted: the bytes of an earlier tenant with the uid. */
  before: number;
  logs: readonly FollowedLog[];
  gaps: readonly string[];
  /** Gaps that stay: something of the past is missing. */
  readonly past: Set<string>;
}

/** Bytes that are read at once, and in a round; the rest comes with the next. */
const pieceBytesMax = 2 ** 20;
const roundBytesMax = 64 * 2 ** 20;
/** Logs of all tenants. */
const followedMax = 20_000;
const gapsShownMax = 5;
const pastMax = 20;

export class WebCounts implements Disposable {
  readonly #keepers: LogKeepers;
  readonly #tenants = new Map<number, Tenant>();
  #followed = 0;
  #next = 0;
  #isReading = false;
  #isEnded = false;

  constructor(keepers: LogKeepers) {
    this.#keepers = keepers;
  }

  /** Follows these logs from now on. */
  follow(wanted: LogsByTenant): void {
    for (const [uid, tenant] of this.#tenants)
      if (!wanted.has(uid)) {
        this.#end(tenant.logs);
        this.#tenants.delete(uid);
      }
    for (const [uid, { logs, gaps }] of wanted) {
      const known = this.#tenants.get(uid);
      const tenant = known ?? newTenant();
      this.#tenants.set(uid, tenant);
      tenant.gaps = gaps;
      this.#take(tenant, logs, known === undefined);
    }
  }

  #take(tenant: Tenant, wanted: readonly CountedLog[], isFirst: boolean): void {
    const keys = new Map(wanted.map((log) => [keyOf(log), log]));
    const kept = tenant.logs.filter(({ log }) => keys.has(keyOf(log)));
    const ended = tenant.logs.filter((each) => !kept.includes(each));
    for (const each of ended) {
      tenant.ended += each.bytes;
      for (const gap of each.gaps()) addPast(tenant, gap);
    }
    this.#end(ended);
    for (const { log } of kept) keys.delete(keyOf(log));
    const begun = [...keys.values()].slice(0, Math.max(0, followedMax - this.#followed));
    this.#followed += begun.length;
    if (begun.length < keys.size) addPast(tenant, 'the host has too many access logs');
    if (!isFirst)
      for (const { path } of begun) addPast(tenant, `${path} is counted from a later time on`);
    tenant.logs = [...kept, ...begun.map((log) => new FollowedLog(log, this.#keepers))];
  }

  #end(logs: readonly FollowedLog[]): void {
    for (const each of logs) each[Symbol.dispose]();
    this.#followed -= logs.length;
  }

  /** Reads what was logged since the last call, up to some megabytes. A call during another does nothing. */
  async read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      await this.#round();
    } finally {
      this.#isReading = false;
    }
  }

  async #round(): Promise<void> {
    const all = [...this.#tenants.values()].flatMap(({ logs }) => logs);
    const first = this.#next % Math.max(1, all.length);
    let waiting = [...all.slice(first), ...all.slice(0, first)];
    for (const log of waiting) {
      log.look(performance.now());
      await othersFirst();
      if (this.#isEnded) return;
    }
    let left = roundBytesMax;
    while (waiting.length > 0 && left > 0) {
      const more: FollowedLog[] = [];
      for (const log of waiting) {
        if (left <= 0) break;
        const bytes = log.read(Math.min(pieceBytesMax, left));
        left -= bytes;
        this.#next++;
        if (bytes >= pieceBytesMax) more.push(log);
        await othersFirst();
        if (this.#isEnded) return;
      }
      waiting = more;
    }
  }

  /** Returns what was sent since the tenant has its uid, in milliseconds since 1970; undefined if no log shows it. */
  sent(uid: number, tenantSince: number): SentByWeb | undefined {
    const tenant = this.#tenants.get(uid);
    if (tenant === undefined || !tenant.logs.some(({ isKnown }) => isKnown)) return undefined;
    const all = tenant.ended + tenant.logs.reduce((sum, { bytes }) => sum + bytes, 0);
    if (tenant.since < tenantSince) {
      tenant.since = Date.now();
      tenant.before = all;
      tenant.past.clear();
    }
    const gaps = [
      ...new Set([...tenant.gaps, ...tenant.past, ...tenant.logs.flatMap((log) => log.gaps())]),
    ];
    const bytes = all - tenant.before;
    return { bytes, since: tenant.since, gaps: gaps.slice(0, gapsShownMax) };
  }

  [Symbol.dispose](): void {
    this.#isEnded = true;
    for (const { logs } of this.#tenants.values()) this.#end(logs);
    this.#tenants.clear();
  }
}

const newTenant = (): Tenant => ({
  since: Date.now(),
  ended: 0,
  before: 0,
  logs: [],
  gaps: [],
  past: new Set(),
});

function addPast({ past }: Tenant, gap: string): void {
  if (past.size < pastMax) past.add(gap);
}

const keyOf = ({ path, pattern, part, parts }: CountedLog) => `${path} ${parts} ${part} ${pattern}`;
