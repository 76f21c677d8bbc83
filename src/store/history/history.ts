/**
 * Runs history queries in separate threads, so that none delays a tick.
 *
 * Administrators and tenants have a thread each: tenants' queries never delay an administrator. Tenants are served one
 * at a time, the one that has used the least work next, and all of them together get a share of one core. Their queries
 * are limited so that the next tenant is served before it times out, even after the longest query, whose time must be
 * saved up again.
 */
import type { Result } from '../../../packages/base/result.ts';
import { HistoryLane, type LaneOptions } from './history-lane.ts';
import type { AnswerOf, HistoryFailure, QueryName, QueryOf } from './history-query.ts';

interface HistoryOptions extends Partial<
  Pick<LaneOptions, 'idleMilliseconds' | 'patienceMilliseconds' | 'onDamage'>
> {
  /** The time limit of one query. */
  readonly millisecondsMax?: number;
}

/** The caller: the administrator, or a tenant or reseller by its uid. */
export type Asker = 'administrator' | number;

type Answered<Name extends QueryName> = Promise<Result<AnswerOf<Name>, HistoryFailure>>;

/** The history as seen by one caller. */
export interface HistoryView {
  readonly usage: (query: QueryOf<'usage'>) => Answered<'usage'>;
  readonly maxima: (query: QueryOf<'maxima'>) => Answered<'maxima'>;
  readonly quantiles: (query: QueryOf<'quantiles'>) => Answered<'quantiles'>;
  readonly series: (query: QueryOf<'series'>) => Answered<'series'>;
  readonly replays: (query: QueryOf<'replays'>) => Answered<'replays'>;
  readonly columns: (query: QueryOf<'columns'>) => Answered<'columns'>;
  readonly peakTotal: (query: QueryOf<'peakTotal'>) => Answered<'peakTotal'>;
  readonly moved: (query: QueryOf<'moved'>) => Answered<'moved'>;
  readonly movedIncident: (query: QueryOf<'movedIncident'>) => Answered<'movedIncident'>;
  readonly pruneMoved: (query: QueryOf<'pruneMoved'>) => Answered<'pruneMoved'>;
}

/** A tenant's waiting and query times together are shorter than its connection's idle timeout. */
const usual = { idleMilliseconds: 30_000, patienceMilliseconds: 30_000 };
const forAdministrators = { eachMax: 32, totalMax: 32, millisecondsMax: 30_000 };
const forTenants = {
  eachMax: 2,
  totalMax: 64,
  millisecondsMax: 6_000,
  share: { share: 0.25, burst: 10_000 },
};
const administrators = 0;

export class History implements AsyncDisposable {
  readonly #administrators: HistoryLane;
  readonly #tenants: HistoryLane;

  constructor(directory: string, options: HistoryOptions = {}) {
    const all = { directory, onDamage: () => undefined, ...usual };
    this.#administrators = new HistoryLane({ ...all, ...forAdministrators, ...options });
    this.#tenants = new HistoryLane({ ...all, ...forTenants, ...options });
  }

  /** Returns the view for one request. `signal`: aborted if nobody waits for results any more. */
  askedBy(asker: Asker, signal?: AbortSignal): HistoryView {
    const lane = asker === 'administrator' ? this.#administrators : this.#tenants;
    const who = asker === 'administrator' ? administrators : asker;
    const since = performance.now();
    const ask = <Name extends QueryName>(name: Name, query: QueryOf<Name>) =>
      // The result type of the query of this name.
      lane.ask({ who, name, query, since, signal }) as Answered<Name>;
    return {
      usage: (query) => ask('usage', query),
      maxima: (query) => ask('maxima', query),
      quantiles: (query) => ask('quantiles', query),
      series: (query) => ask('series', query),
      replays: (query) => ask('replays', query),
      columns: (query) => ask('columns', query),
      peakTotal: (query) => ask('peakTotal', query),
      moved: (query) => ask('moved', query),
      movedIncident: (query) => ask('movedIncident', query),
      pruneMoved: (query) => ask('pruneMoved', query),
    };
  }

  /** Whether one of its threads runs now. */
  get isRunning(): boolean {
    return this.#administrators.isRunning || this.#tenants.isRunning;
  }

  /** Stops its threads; waiting queries fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [this.#administrators, this.#tenants].map((lane) => lane[Symbol.asyncDispose]()),
    );
  }
}
