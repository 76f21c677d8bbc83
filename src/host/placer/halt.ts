/**
 * Stops tenants that start processes faster than they can be placed, moves their processes, and continues them.
 *
 * A process that forks its successor and exits lives for less time than it takes to inspect it. So all
 * processes of the tenant are stopped at once, which no fork can escape (`uid-signal.ts`), moved one by
 * one, and continued. One that gets continued by a timer's SIGCONT is caught in one of the following
 * rounds: processes that were moved stay inside, and so do their children. It is over after a round in
 * which no process was found outside.
 *
 * Processes that were stopped before are not continued: if a stopped process is stopped again, the second signal stays
 * pending, which the others do not have. The tenants are recorded first, so that they are continued even if this
 * process dies meanwhile (`HaltRecord`). Processes that were just being forked are continued later (`Resume`).
 */
import type { Problem } from '../../../packages/base/problem.ts';
import { errnoCause } from '../../../packages/base/io/errno.ts';
import { openProcess } from '../../sys/processes/pidfd.ts';
import { signalUid } from '../../sys/processes/uid-signal.ts';
import type { HaltRecord } from './halt-record.ts';
import type { PidHistory } from './pid-history.ts';
import type { Placer } from './placer.ts';
import { listProcesses } from './process-reader.ts';
import { wasStoppedBefore, type Resume } from './resume.ts';

export interface HaltResult {
  readonly tenants: readonly number[];
  readonly moved: number;
  readonly milliseconds: number;
  readonly settled: boolean;
  readonly problem?: Problem;
}

/**
 * Beyond `millisecondsMax` there are no more than `roundsMin`: however slow the machine, each round catches some
 * process.
 */
const roundsMin = 8;
const roundsMax = 64;
const millisecondsMax = 5_000;
const atOnce = 16;
/** The latest pids belong to those that are forking now: they are visited first. */
const latestPids = 256;
/** Subordinate uids that are stopped in addition to the tenants' own. */
const uidsMax = 256;

export class Halt {
  readonly #tenants: ReadonlySet<number>;
  readonly #placer: Placer;
  readonly #clock: PidHistory;
  readonly #record: HaltRecord;
  readonly #resume: Resume;
  readonly #uids: Set<number>;
  /** All visited processes of the tenants; `#before` has the processes that were stopped before. */
  readonly #members = new Set<number>();
  readonly #before = new Map<number, number>();
  readonly #began = performance.now();
  readonly #work: Generator<undefined, HaltResult>;
  #round = 0;
  #moved = 0;
  #visited = 0;
  /** Whether a process was found outside in this round, or another uid to stop. */
  #again = false;
  #outside = false;
  #problem: Problem | undefined;

  constructor(
    tenants: ReadonlySet<number>,
    parts: {
      readonly placer: Placer;
      readonly clock: PidHistory;
      readonly record: HaltRecord;
      readonly resume: Resume;
    },
  ) {
    this.#tenants = tenants;
    this.#uids = new Set(tenants);
    this.#placer = parts.placer;
    this.#clock = parts.clock;
    this.#record = parts.record;
    this.#resume = parts.resume;
    this.#work = this.#run();
  }

  /** Continues for a few milliseconds; returns the result once the tenants have been continued. */
  step(milliseconds: number): HaltResult | undefined {
    const until = performance.now() + milliseconds;
    for (;;) {
      const { done, value } = this.#work.next();
      if (done === true) return value;
      if (performance.now() > until) return undefined;
    }
  }

  /** Notes that a tenant's process was visited; `uid` is its real one. */
  seen(pid: number, tenant: number, uid: number): void {
    if (!this.#tenants.has(tenant)) return;
    if (this.#round === 1 && !this.#members.has(pid)) this.#noteBefore(pid, tenant);
    this.#members.add(pid);
    if (this.#uids.has(uid) || this.#uids.size >= uidsMax || !this.#placer.owns(tenant, uid))
      return;
    this.#uids.add(uid);
    this.#again = true;
  }

  #noteBefore(pid: number, tenant: number): void {
    const stopped = this.#placer.stopped(pid);
    if (!stopped.ok || !wasStoppedBefore(stopped.value, this.#uids)) return;
    if (!this.#resume.isBornStopped(pid, tenant)) this.#before.set(pid, tenant);
  }

  /** Notes that a tenant's process was outside when it was inspected; returns false if the tenant is none of these. */
  outside(tenant: number): boolean {
    const isOurs = this.#tenants.has(tenant);
    this.#outside ||= isOurs;
    return isOurs;
  }

  *#run(): Generator<undefined, HaltResult> {
    let settled = false;
    while (!settled && this.#mayGoOn) {
      this.#round++;
      this.#again = false;
      if (!this.#note() || !this.#stop()) break;
      yield* this.#latest();
      for (const pid of listProcesses()) yield* this.#visit(pid);
      yield* this.#latest();
      settled = !this.#again;
    }
    yield* this.#release();
    const milliseconds = this.#elapsed;
    const problem = this.#problem === undefined ? {} : { problem: this.#problem };
    return { tenants: [...this.#tenants], moved: this.#moved, milliseconds, settled, ...problem };
  }

  get #mayGoOn(): boolean {
    const isQuick = this.#elapsed < millisecondsMax;
    return this.#round < (isQuick ? roundsMax : roundsMin);
  }

  get #elapsed(): number {
    return performance.now() - this.#began;
  }

  /** Records the tenants. None is stopped without a record for the next placer. */
  #note(): boolean {
    const before = this.#round === 1 ? undefined : [...this.#before.keys()];
    const uids = new Set([...this.#uids, ...this.#resume.uids]);
    const written = this.#record.write([...uids], before);
    if (!written.ok) this.#problem = written.error;
    return written.ok;
  }

  #stop(): boolean {
    for (const uid of this.#uids) {
      const error = signalUid(uid, 'SIGSTOP');
      if (error === undefined || error === 'ESRCH') continue;
      this.#problem = { action: `stop the processes of uid ${uid}`, ...errnoCause(error) };
      return false;
    }
    return true;
  }

  *#latest(): Generator<undefined> {
    let pid = this.#clock.last();
    for (let count = 0; count < latestPids; count++) {
      yield* this.#visit(pid);
      pid = this.#clock.previous(pid);
    }
  }

  *#visit(pid: number): Generator<undefined> {
    this.#outside = false;
    const outcome = this.#placer.place(pid);
    if (outcome === 'moved') this.#moved++;
    if (this.#outside && (outcome === 'moved' || outcome === 'gone')) this.#again = true;
    if (++this.#visited % atOnce === 0) yield;
  }

  /** Continues children before their parents, so that no shell sees a stopped child. */
  *#release(): Generator<undefined> {
    for (const pid of [...this.#members].sort((a, b) => b - a)) {
      if (!this.#before.has(pid)) this.#continue(pid);
      if (++this.#visited % atOnce === 0) yield;
    }
    const held = new Set(this.#before.values());
    for (const uid of this.#uids) {
      const isHeld = [...held].some((tenant) => this.#placer.owns(tenant, uid));
      if (!isHeld) signalUid(uid, 'SIGCONT');
    }
    this.#resume.watch(this.#uids, this.#members);
  }

  #continue(pid: number): void {
    const opened = openProcess(pid);
    if (!opened.ok) return;
    using process = opened.value;
    const tenant = this.#placer.tenantOfProcess(pid);
    if (tenant !== undefined && this.#tenants.has(tenant)) process.signal('SIGCONT');
  }
}
