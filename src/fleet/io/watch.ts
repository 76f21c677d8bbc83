/** Collects what the gate judges, from the end of an apply on. */
import type { FleetEngine, SeenTick } from '../../agent/fleet/fleet-agent.ts';
import type { Incident } from '../../usage/incident.ts';
import { judge, type Seen, type Verdict } from '../core/gate.ts';
import {
  daysMax,
  hitHistory,
  hitKey,
  isHarmful,
  quietMilliseconds,
  sufferer,
  type HitHistory,
  type Period,
} from '../core/hits.ts';
import type { PressureLog } from './pressure-log.ts';

const day = 86_400_000;
const incidentsEach = 1_000;
/** More incidents than these cannot be compared without holding up the agent. */
const pagesMax = 30;
/** Another program may remove a cgroup once: the agent makes it again. */
const missingMax = 2;

export interface WatchOptions {
  readonly engine: FleetEngine;
  readonly pressure: PressureLog;
  readonly watchSeconds: number;
  /** The problems that are none of the release. */
  readonly known: readonly string[];
  /** Milliseconds since 1970. */
  readonly from: number;
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #period: Period;
  readonly #history: HitHistory | 'unknown';
  readonly #hits = new Map<string, string>();
  readonly #outsideBefore: ReadonlySet<string>;
  #outsideLast: ReadonlySet<string> = new Set();
  #outside: number | 'unknown';
  #scannedAt: number;
  #measuredSeconds = 0;
  #missing = 0;
  /** The problems of the apply itself. */
  readonly #problems: readonly string[];
  #drift: readonly string[];

  /** `drift`: what was not as it was applied when that was checked. */
  constructor(options: WatchOptions, drift: readonly string[]) {
    this.#options = options;
    this.#drift = drift;
    const { from, watchSeconds, engine, pressure } = options;
    this.#period = { from, to: from + watchSeconds * 1000 };
    this.#history = readHistory(engine, this.#period);
    const placement = engine.placement();
    this.#outsideBefore = new Set(placement.outside.map(({ pid, uid }) => `${pid} ${uid}`));
    this.#scannedAt = placement.scannedAt ?? 0;
    this.#outside = 0;
    const { state, problems } = engine.state();
    const isApplied = state === 'in force';
    this.#problems = isApplied ? [] : problems.filter((each) => this.#isNew(each));
    pressure.begin();
  }

  see({ faults, seconds, missing }: SeenTick): void {
    this.#measuredSeconds += seconds;
    for (const each of faults)
      if (isHarmful(each.severity)) this.#hits.set(hitKey(each), sufferer(each.member));
    this.#seeOutside();
    this.#missing = missing.length === 0 ? 0 : this.#missing + 1;
    if (this.#missing > missingMax)
      this.#drift = [`Cgroups are missing again and again: ${missing.slice(0, 5).join(', ')}`];
  }

  /** Counts processes that two scans have found outside: one may just have started. */
  #seeOutside(): void {
    const { outside, unknown, scannedAt = 0 } = this.#options.engine.placement();
    if (scannedAt === this.#scannedAt) return;
    this.#scannedAt = scannedAt;
    const now = new Set(outside.map(({ pid, uid }) => `${pid} ${uid}`));
    const isNew = (each: string) => this.#outsideLast.has(each) && !this.#outsideBefore.has(each);
    this.#outside = unknown.length > 0 ? 'unknown' : [...now].filter(isNew).length;
    this.#outsideLast = now;
  }

  #isNew(problem: string): boolean {
    return !this.#options.known.includes(problem);
  }

  /** Returns the verdict after `passedSeconds`. */
  judge(passedSeconds: number): Verdict {
    const { watchSeconds, pressure, engine } = this.#options;
    const { state, problems } = engine.state();
    // A policy that is refused by now has been edited since: what was applied is still in force.
    const now = state === 'failed' ? problems.filter((each) => this.#isNew(each)) : [];
    const seen: Seen = {
      watchSeconds,
      passedSeconds,
      measuredSeconds: this.#measuredSeconds,
      problems: [...new Set([...this.#problems, ...now])],
      drift: this.#drift,
      outside: this.#outside,
      hits: this.#hits,
      history: this.#history,
      memory: pressure.seen(this.#period, 'memory'),
      io: pressure.seen(this.#period, 'io'),
    };
    return judge(seen);
  }
}

/** Reads the incidents of three weeks, the latest first. */
function readHistory(
  { events, recordedSince }: FleetEngine,
  watch: Period,
): HitHistory | 'unknown' {
  const from = watch.from - daysMax * day - quietMilliseconds;
  const found: Incident[] = [];
  for (let page = 0; ; page++) {
    if (page === pagesMax) return 'unknown';
    const before = found.at(-1)?.id;
    const read = events.incidents({
      from,
      to: watch.from,
      severity: 'refused',
      count: incidentsEach,
      ...(before !== undefined && { before }),
    });
    if (!read.ok) return 'unknown';
    found.push(...read.value.incidents);
    if (read.value.incidents.length < incidentsEach) break;
  }
  const since = recordedSince() ?? watch.from;
  const harmful = found.filter(({ severity }) => isHarmful(severity));
  return hitHistory(watch, harmful, since);
}
