/**
 * Keeps a host in its fleet: takes releases, applies them, watches, confirms them or goes back.
 *
 * The state on disk is always ahead of what is done: whenever the agent is killed, the next one knows what to finish.
 * Going back is the exception: there the policy comes first, so that a full disk cannot keep a bad release in force.
 */
import type {
  FleetAnswerResponse,
  FleetOutboxResponse,
  FleetResponse,
} from '../../agent/api/fleet-api.ts';
import type { FleetEngine, SeenTick, TakenBy } from '../../agent/fleet/fleet-agent.ts';
import type { HttpResult } from '../../agent/api/http-result.ts';
import type { Log } from '../../agent/log.ts';
import type { Alarm } from '../../agent/part.ts';
import type { Paths } from '../../host/paths.ts';
import { causedBy, failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  begun,
  canGoBack,
  canKeep,
  dropped,
  goingBack,
  held,
  kept,
  passed,
  resumed,
  started,
  type HostState,
  type Now,
} from '../core/states.ts';
import { followed, opened } from '../core/rollout/host-rollout.ts';
import { alarmOf } from '../core/alarms.ts';
import { responseOf } from '../core/response.ts';
import type { VerifiedRelease } from './verify/verify-bundle.ts';
import { expiring } from './expiring.ts';
import { HostRecord } from './host-record.ts';
import { Answerer } from './ask/answerer.ts';
import { HostStore } from './host-store.ts';
import { Outbox } from './outbox/outbox.ts';
import { PressureLog } from './pressure-log.ts';
import { RecordTaker } from './record-taker.ts';
import { refuseRequest } from './refusal.ts';
import { ReleaseDriver } from './release-driver.ts';
import { ReleaseTaker, type FleetSettings } from './release-taker.ts';

const holdSecondsMax = 30 * 86_400;
const alarmMilliseconds = 3_600_000;

export class FleetHost {
  readonly #log: Pick<Log, 'info' | 'warn' | 'error'>;
  readonly #store: HostStore;
  readonly #record: HostRecord;
  readonly #pressure: PressureLog;
  readonly #taker: ReleaseTaker;
  readonly #outbox: Outbox;
  readonly #answerer: Answerer;
  readonly #records: RecordTaker;
  readonly #driver: ReleaseDriver;
  #engine: FleetEngine | undefined;
  #settings: FleetSettings | undefined;
  #alarmed = '';
  readonly #alarmedAt = new Map<string, number>();
  readonly #alarms: Alarm[] = [];

  constructor(paths: Paths, log: Pick<Log, 'info' | 'warn' | 'error'>, directory: string) {
    this.#log = log;
    this.#store = new HostStore(directory);
    this.#record = new HostRecord(this.#store, paths, log);
    this.#pressure = new PressureLog(paths, directory);
    this.#taker = new ReleaseTaker(this.#store);
    this.#outbox = new Outbox(directory, log);
    this.#answerer = new Answerer(directory);
    this.#records = new RecordTaker(this.#store);
    const [record, store, pressure] = [this.#record, this.#store, this.#pressure];
    this.#driver = new ReleaseDriver({ record, store, pressure, log });
  }

  begin(engine: FleetEngine): void {
    this.#engine = engine;
    const state = this.#record.read();
    if (state === undefined) return;
    // On disk before the policy is read: an agent that ends on it is counted.
    const next = started(state, this.#record.now());
    this.#record.enter(next);
    // What cannot be counted must not be tried: going back needs no space on the disk.
    if (this.#record.unwritten !== undefined && next.current?.phase === 'applying')
      this.#record.enter(
        goingBack(next, ['The disk is full, or cannot be written'], this.#record.now()),
      );
    const placed = this.#driver.place();
    if (!placed.ok) this.#log.error(formatProblem(placed.error));
  }

  begun(): void {
    if (this.#engine !== undefined) this.#driver.begin(this.#engine);
  }

  /** Follows the host's own policy, which says whether the host is in the fleet. */
  adopt(settings: FleetSettings | undefined): void {
    this.#settings = settings;
    const { state } = this.#record;
    if (settings !== undefined || state === undefined || !canGoBack(state)) return;
    // Nothing of it is in force any more. What comes back with <fleet> is the confirmed one.
    this.#record.enter(dropped(state, '<fleet> was removed from the policy', this.#record.now()));
    const placed = this.#driver.place();
    if (!placed.ok) this.#log.error(formatProblem(placed.error));
  }

  see(seen: SeenTick): void {
    const before = this.#record.state;
    if (before === undefined) return;
    this.#pressure.see(seen.at);
    this.#outbox.see(seen, this.#engine?.customers());
    this.#driver.see(seen);
    const { state = before } = this.#record;
    const now = this.#record.now();
    const later = followed(passed(state, now), now);
    if (later !== state) this.#record.enter(later);
    this.#record.mark();
    this.#driver.drive();
    this.#alarm();
  }

  takeAlarms(): readonly Alarm[] {
    return this.#alarms.splice(0);
  }

  status(): FleetResponse {
    const { state, damage, unwritten } = this.#record;
    const now = this.#record.now();
    return responseOf({
      state,
      now,
      hasExpired: state?.newest !== undefined && Date.parse(state.newest.expires) < now.at,
      isChecking: this.#taker.isChecking,
      isTooNew: this.#taker.isTooNew,
      isMember: this.#settings !== undefined,
      from: this.#settings?.from ?? [],
      accept: this.#settings?.accept,
      isBroken: damage !== undefined,
      problems: [
        ...[damage, unwritten].flatMap((each) => (each === undefined ? [] : [formatProblem(each)])),
        ...expiring(state?.newest, now),
      ],
    });
  }

  outbox(epoch: string | undefined, after: number): HttpResult<FleetOutboxResponse> {
    const action = 'show what the centre gets';
    const state = this.#ready(action);
    if (!state.ok) return state;
    if (this.#engine === undefined) return unready(action);
    return this.#outbox.answer(this.status(), this.#engine, { epoch, after });
  }

  answer(question: string): Promise<HttpResult<FleetAnswerResponse>> {
    const action = 'answer the centre';
    const state = this.#ready(action);
    if (!state.ok) return Promise.resolve(state);
    if (this.#engine === undefined) return Promise.resolve(unready(action));
    return this.#answerer.answer(this.status(), this.#engine, question);
  }

  admitCourier(): number {
    return this.#taker.admitCourier();
  }

  async take(
    bundle: string,
    { isAnyWave }: Pick<TakenBy, 'isAnyWave'>,
  ): Promise<HttpResult<FleetResponse>> {
    const engine = this.#engine;
    const state = this.#ready('take the release');
    if (!state.ok) return state;
    if (engine === undefined) return unready('take the release');
    const taken = await this.#taker.take(bundle, {
      isAnyWave,
      engine,
      settings: this.#settings,
      state: () => this.#record.state ?? state.value,
      enter: (next) => this.#record.enter(next),
      now: () => this.#record.now(),
    });
    if (!taken.ok) return taken;
    if (taken.value !== undefined) {
      const done = this.#begin(taken.value, engine, isAnyWave);
      if (!done.ok) return refuseRequest({ status: 503, ...done.error });
    }
    return ok(this.status());
  }

  /** Keeps a release that was checked, and begins to apply it. */
  #begin(
    verified: VerifiedRelease,
    engine: FleetEngine,
    isAnyWave: boolean,
  ): Result<void, Problem> {
    const { head, policy } = verified;
    const { state } = this.#record;
    if (state === undefined) return ok(undefined);
    const { trust, generation, watchSeconds } = head;
    const action = `keep generation ${generation}`;
    const written = this.#store.writeRelease(head, policy);
    if (!written.ok) return failed({ action, ...causedBy(written.error) });
    const known = engine.state().problems;
    const now = this.#record.now();
    const before = state.isLed === true && !isAnyWave ? opened(state, now) : state;
    const next = begun(before, { trust, generation }, { watchSeconds, known }, now);
    this.#record.enter(next);
    const { unwritten } = this.#record;
    if (unwritten !== undefined) {
      // The next agent would not know that it tries this one.
      this.#record.restore(state);
      return failed({ action, ...causedBy(unwritten) });
    }
    this.#driver.drive();
    return ok(undefined);
  }

  /** Takes a controller's record, and does at once what it says of the release in force. */
  follow(text: string, { isRoot }: Pick<TakenBy, 'isRoot'>): HttpResult<FleetResponse> {
    const state = this.#ready('take the record');
    if (!state.ok) return state;
    const now = this.#record.now();
    const taken = this.#records.take(text, { isRoot, settings: this.#settings, now }, state.value);
    if (!taken.ok) return taken;
    if (taken.value !== state.value) this.#record.enter(taken.value);
    this.#driver.drive();
    return this.#written('take the record');
  }

  keep(): HttpResult<FleetResponse> {
    return this.#change('keep the release', canKeep, 'it is neither healthy nor unclear', kept);
  }

  back(): HttpResult<FleetResponse> {
    const reason = 'no release waits to be confirmed';
    return this.#change('go back', canGoBack, reason, (state, now) =>
      goingBack(state, ['An administrator said so'], now),
    );
  }

  hold(seconds: number, reason: string): HttpResult<FleetResponse> {
    const action = 'hold the fleet';
    if (!Number.isSafeInteger(seconds) || seconds < 60 || seconds > holdSecondsMax)
      return refuseRequest({ status: 400, action, reason: 'the time is not 1 minute to 30 days' });
    return this.#change(action, always, '', (state, now) => held(state, seconds, reason, now));
  }

  resume(): HttpResult<FleetResponse> {
    return this.#change('resume', always, '', resumed);
  }

  #change(
    action: string,
    may: (state: HostState) => boolean,
    reason: string,
    change: (state: HostState, now: Now) => HostState,
  ): HttpResult<FleetResponse> {
    const state = this.#ready(action);
    if (!state.ok) return state;
    if (!may(state.value)) return refuseRequest({ status: 409, action, reason });
    this.#log.info(`Root has asked to ${action}`);
    this.#record.enter(change(state.value, this.#record.now()));
    this.#driver.drive();
    return this.#written(action);
  }

  /** The answer to a change: what could not be kept is in force, and whoever asked must ask again. */
  #written(action: string): HttpResult<FleetResponse> {
    const { unwritten } = this.#record;
    return unwritten === undefined
      ? ok(this.status())
      : refuseRequest({ status: 503, action, ...causedBy(unwritten) });
  }

  #ready(action: string): HttpResult<HostState> {
    const { state } = this.#record;
    if (state !== undefined) return ok(state);
    const { damage } = this.#record;
    if (damage !== undefined) return refuseRequest({ status: 503, action, ...causedBy(damage) });
    const hint = 'run "bulkhead fleet join" first';
    return refuseRequest({ status: 404, action, reason: 'this host is in no fleet', hint });
  }

  #alarm(): void {
    const alarm = alarmOf(this.status());
    const key = alarm === undefined ? '' : `${alarm.title} ${alarm.text}`;
    if (alarm !== undefined && key !== this.#alarmed && this.#mayAlarm(key))
      this.#alarms.push(alarm);
    this.#alarmed = key;
  }

  /** Says each once an hour: whoever carries releases can make a state come and go. */
  #mayAlarm(key: string): boolean {
    const now = performance.now();
    for (const [each, at] of this.#alarmedAt)
      if (now - at >= alarmMilliseconds) this.#alarmedAt.delete(each);
    if (this.#alarmedAt.has(key)) return false;
    this.#alarmedAt.set(key, now);
    return true;
  }

  /** Leaves a watch to the next agent. */
  stop(): void {
    this.#record.stop();
    this.#outbox.stop(this.#record.state !== undefined);
  }
}

const always = () => true;

const unready = (action: string) =>
  refuseRequest({
    status: 503,
    action,
    reason: 'the agent is starting',
    hint: 'retry in a few seconds',
  });
