/**
 * Does what the state of a host in its fleet asks for: applies a release and watches it, or goes back from it.
 */
import type { FleetEngine, SeenTick } from '../../agent/fleet/fleet-agent.ts';
import type { Log } from '../../agent/log.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { judged, watching, wentBack } from '../core/states.ts';
import { secondsOf } from '../core/stopwatch.ts';
import type { HostRecord } from './host-record.ts';
import type { HostStore } from './host-store.ts';
import { outsideBefore } from './outside-watch.ts';
import type { PressureLog } from './pressure-log.ts';
import { Watch } from './watch.ts';

const retryMilliseconds = 10_000;
/** How often an apply is refused before the release counts as failed: five minutes. */
const refusalsMax = 30;

interface Parts {
  readonly record: HostRecord;
  readonly store: HostStore;
  readonly pressure: PressureLog;
  readonly log: Pick<Log, 'error'>;
}

export class ReleaseDriver {
  readonly #record: HostRecord;
  readonly #store: HostStore;
  readonly #pressure: PressureLog;
  readonly #log: Pick<Log, 'error'>;
  #engine: FleetEngine | undefined;
  #watch: Watch | undefined;
  #isDriving = false;
  #retryAt = 0;
  #refusals = 0;

  constructor({ record, store, pressure, log }: Parts) {
    this.#record = record;
    this.#store = store;
    this.#pressure = pressure;
    this.#log = log;
  }

  /** Begins to act; until then it only puts policies on disk. */
  begin(engine: FleetEngine): void {
    this.#engine = engine;
    this.drive();
  }

  see(seen: SeenTick): void {
    this.#watch?.see(seen);
    this.#judge();
  }

  /** Puts the policy on disk that the state wants in force. */
  place(): Result<void, Problem> {
    const { current, confirmed } = this.#record.state ?? {};
    return this.#store.putInForce(current?.phase === 'going back' ? confirmed : current?.release);
  }

  drive(): void {
    const phase = this.#record.state?.current?.phase;
    const hasWork = phase === 'applying' || phase === 'going back';
    const isUnwatched = phase === 'watching' && this.#watch === undefined;
    const engine = this.#engine;
    if (engine === undefined || this.#isDriving || performance.now() < this.#retryAt) return;
    if (!hasWork && !isUnwatched) return;
    this.#isDriving = true;
    void this.#step(engine).finally(() => {
      this.#isDriving = false;
      this.drive();
    });
  }

  async #step(engine: FleetEngine): Promise<void> {
    const phase = this.#record.state?.current?.phase;
    if (phase === 'watching') return this.#watchFrom(engine, []);
    if (phase === 'applying') await this.#noteOutside(engine);
    const placed = this.place();
    if (!placed.ok) {
      this.#retryAt = performance.now() + retryMilliseconds;
      this.#log.error(formatProblem(placed.error));
    } else if (this.#record.state?.current?.phase === 'going back') await this.#goBack(engine);
    else await this.#apply(engine);
  }

  /** Notes, before anything is applied, which processes are outside their cgroups. */
  async #noteOutside(engine: FleetEngine): Promise<void> {
    if (this.#record.state?.current?.outside !== undefined) return;
    const outside = await outsideBefore(engine);
    const { state } = this.#record;
    if (outside === undefined || state?.current?.phase !== 'applying') return;
    this.#record.enter({ ...state, current: { ...state.current, outside } });
  }

  /** Applies twice: what the second one still changes has not stayed as it was set. */
  async #apply(engine: FleetEngine): Promise<void> {
    await engine.apply();
    const { state, changes } = await engine.apply();
    const isDrift = state.state === 'in force' && changes > 0 && (await engine.apply()).changes > 0;
    const now = this.#record.state;
    if (now?.current?.phase !== 'applying') return;
    // Root may have edited the policy since it was checked, and it has errors: the release is not in force yet.
    const isApplied = engine.isApplied();
    if (!isApplied && ++this.#refusals < refusalsMax) {
      this.#retryAt = performance.now() + retryMilliseconds;
      return;
    }
    this.#refusals = 0;
    this.#record.enter(watching(now, this.#record.now()));
    this.#watchFrom(engine, [
      ...(isDrift ? ['Values did not stay as they were applied'] : []),
      ...(isApplied ? [] : [`It could not be applied: ${state.problems.join('; ')}`]),
    ]);
    this.#judge();
  }

  async #goBack(engine: FleetEngine): Promise<void> {
    this.#watch = undefined;
    const applied = await engine.apply();
    const { state } = this.#record;
    if (state?.current?.phase !== 'going back') return;
    const { known } = state.current;
    const { state: result, problems } = applied.state;
    const isKnown = result === 'failed' && problems.every((each) => known.includes(each));
    const isBack = engine.isApplied() && (result === 'in force' || isKnown);
    if (!isBack) {
      // The release that failed may still be in force.
      this.#retryAt = performance.now() + retryMilliseconds;
      return this.#log.error(`Cannot go back yet: ${applied.state.problems.join('; ')}`);
    }
    this.#record.enter(wentBack(state, this.#record.now()));
    this.#keepReleases();
  }

  #watchFrom(engine: FleetEngine, wrong: readonly string[]): void {
    const { current } = this.#record.state ?? {};
    if (current === undefined) return;
    const { watchSeconds, known, outside } = current;
    const { at: from } = this.#record.now();
    const pressure = this.#pressure;
    this.#watch = new Watch({ engine, pressure, watchSeconds, known, outside, from }, wrong);
  }

  #judge(): void {
    const { state } = this.#record;
    if (this.#watch === undefined || state?.current?.phase !== 'watching') return;
    const now = this.#record.now();
    const next = judged(state, this.#watch.judge(secondsOf(state.current.watch, now)), now);
    if (next === state) return;
    this.#watch = undefined;
    this.#record.enter(next);
    if (next.current?.phase === 'healthy') this.#keepReleases();
    this.drive();
  }

  #keepReleases(): void {
    const { current, confirmed } = this.#record.state ?? {};
    this.#store.keepReleases([current?.release, confirmed]);
  }
}
