/** Collects what the gate judges, from the end of an apply on. */
import type { FleetEngine, SeenTick } from '../../agent/fleet/fleet-agent.ts';
import type { Incident } from '../../usage/incident.ts';
import type { Member } from '../../usage/member.ts';
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
import { OutsideWatch } from './outside-watch.ts';
import type { PressureLog } from './pressure-log.ts';

const day = 86_400_000;
const incidentsEach = 1_000;
/** More incidents than these cannot be compared without holding up the agent. */
const pagesMax = 30;
/** Another program may remove a cgroup once: the agent makes it again. */
const missingMax = 2;
/** How long a watch waits for scans that it has asked for. */
const scanSecondsMax = 120;

export interface WatchOptions {
  readonly engine: FleetEngine;
  readonly pressure: PressureLog;
  readonly watchSeconds: number;
  /** The problems that are none of the release. */
  readonly known: readonly string[];
  /** The processes that were outside before the release; undefined: unknown. */
  readonly outside: readonly string[] | undefined;
  /** Milliseconds since 1970. */
  readonly from: number;
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #period: Period;
  readonly #history: HitHistory | 'unknown';
  readonly #hits = new Map<string, Member>();
  readonly #outside: OutsideWatch;
  #measuredSeconds = 0;
  #missing = 0;
  /** The problems of the apply itself. */
  readonly #problems: readonly string[];
  /** Whether the release has reached the kernel. A policy that is refused later has been edited since. */
  #isApplied = false;
  #drift: readonly string[] = [];

  /** `wrong`: findings of the apply. */
  constructor(options: WatchOptions, wrong: readonly string[]) {
    this.#options = options;
    const { from, watchSeconds, engine, pressure } = options;
    this.#period = { from, to: from + watchSeconds * 1000 };
    this.#history = readHistory(engine, this.#period);
    this.#outside = new OutsideWatch(engine, options.outside);
    this.#problems = [...wrong, ...this.#failures()];
    this.#seeApplied();
    pressure.begin();
  }

  see({ faults, seconds, missing }: SeenTick): void {
    this.#measuredSeconds += seconds;
    for (const each of faults)
      if (isHarmful(each.severity)) this.#hits.set(hitKey(each), sufferer(each.member));
    this.#outside.see();
    this.#seeApplied();
    this.#missing = missing.length === 0 ? 0 : this.#missing + 1;
    if (this.#missing > missingMax)
      this.#drift = [`Cgroups are missing again and again: ${missing.slice(0, 5).join(', ')}`];
  }

  #seeApplied(): void {
    this.#isApplied ||= this.#options.engine.isApplied();
  }

  /** Returns the problems of the last apply that are the release's. A policy that is refused was not applied. */
  #failures(): readonly string[] {
    const { engine, known } = this.#options;
    const { state, problems } = engine.state();
    return state === 'failed' ? problems.filter((each) => !known.includes(each)) : [];
  }

  /** Returns the verdict after `passedSeconds`. */
  judge(passedSeconds: number): Verdict {
    const { watchSeconds, pressure, engine } = this.#options;
    const seen: Seen = {
      watchSeconds,
      passedSeconds,
      measuredSeconds: this.#measuredSeconds,
      isApplied: this.#isApplied,
      problems: [...new Set([...this.#problems, ...this.#failures()])],
      drift: this.#drift,
      outside: this.#outside.found(),
      hits: this.#hits,
      customers: engine.customers(),
      history: this.#history,
      memory: pressure.seen(this.#period, 'memory'),
      io: pressure.seen(this.#period, 'io'),
    };
    const verdict = judge(seen);
    const mayWait = !this.#outside.isSettled && passedSeconds < watchSeconds + scanSecondsMax;
    return verdict.kind === 'unclear' && mayWait ? { kind: 'watching' } : verdict;
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
