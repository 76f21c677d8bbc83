/**
 * The policy as the API shows and changes it. A process of its own reads, plans and writes; the reconciler applies what
 * was written, as it does after any other edit of the file.
 */
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { answerSoon } from '../../sys/answer-soon.ts';
import type { ErrorResponse } from '../api/api.ts';
import type { PolicyWritten } from '../api/policy-api.ts';
import type { HttpResult } from '../api/http-result.ts';
import { ChangePace } from '../changes/change-pace.ts';
import type { Log } from '../log.ts';
import type { ReleaseCheck } from '../fleet/fleet-agent.ts';
import type { Alarm } from '../part.ts';
import type { PolicyState } from '../reconciler.ts';
import { GoesBack, type WentBack } from './goes-back/goes-back.ts';
import { pendingOf } from './goes-back/going-back.ts';
import { answer } from './job-answer.ts';
import type { PolicyJob, PolicyJobAnswer, ReleaseQuestion } from './policy-job.ts';
import { PolicyWorker } from './policy-worker.ts';

/** Shorter than a client, or the front of the console, waits. */
const answerMilliseconds = 45_000;
/** The seconds in which a reseller may plan or write one change, in the long run. */
const secondsEach = 3;
/** The time that each reseller's questions may take: half a minute at once, and a quarter of a core in the long run. */
const resellerShare = { share: 0.25, burst: 30_000 };
const resellerNiceness = 10;
const resellerWaitingMax = 8;

export interface PolicyChangesOptions {
  readonly paths: Paths;
  readonly file: string;
  readonly log: Pick<Log, 'info' | 'error'>;
  /** Applies the policy; resolves after an apply that began after the call. */
  readonly apply: () => Promise<void>;
  readonly state: () => PolicyState;
}

/** Somebody who waits for an answer. */
export interface PolicyAsker {
  /** The uid that pays; root waits for nobody. */
  readonly uid: number;
  readonly signal?: AbortSignal;
}

export class PolicyChanges implements Disposable {
  readonly #options: PolicyChangesOptions;
  readonly #pace = new ChangePace('change the policy', secondsEach);
  readonly #keepPace = new ChangePace('keep the change of the policy', secondsEach);
  readonly #worker = new PolicyWorker({ answerMilliseconds });
  /** Resellers wait for each other only. */
  readonly #resellers = new PolicyWorker({
    answerMilliseconds,
    waitingEachMax: resellerWaitingMax,
    share: resellerShare,
    niceness: resellerNiceness,
  });
  /** The worker of root's what-if questions, which take long. */
  readonly #simulator = new PolicyWorker({ answerMilliseconds });
  readonly #goesBack: GoesBack;
  #writing = 0;

  constructor(options: PolicyChangesOptions) {
    this.#options = options;
    const { paths, file, log } = options;
    this.#goesBack = new GoesBack({
      paths,
      file,
      log,
      goBack: () => this.#goBack(),
      isWriting: () => this.#writing > 0,
    });
  }

  /** Writes back what was due while no agent ran; before the first apply. */
  begin(): Promise<void> {
    return this.#goesBack.begin();
  }

  /** Called when the policy may have another text. */
  noticeEdit(): void {
    this.#goesBack.check();
  }

  /** Returns alarms since the last call. */
  takeAlarms(): readonly Alarm[] {
    return this.#goesBack.takeAlarms();
  }

  /** Root keeps as much as it wants; others try ten numbers at once, and have a pace then. */
  readonly keep: GoesBack['keep'] = (caller, change) => {
    const { audience, uid } = caller;
    const isPaced = audience.kind !== 'administrator';
    const turn = isPaced ? this.#keepPace.enter(uid, false, performance.now()) : ok(undefined);
    if (!turn.ok) return turn;
    using _turn = turn.value;
    return this.#goesBack.keep(caller, change);
  };

  async ask(
    job: Omit<PolicyJob, 'paths' | 'file'>,
    { uid, signal }: PolicyAsker,
  ): Promise<HttpResult<PolicyJobAnswer>> {
    const { kind } = job.question;
    // A page asks for the policy and its changes at once; the queue is fair.
    const isPaced = uid !== 0 && !['read', 'changes', 'change'].includes(kind);
    const turn = isPaced ? this.#pace.enter(uid, false, performance.now()) : ok(undefined);
    if (!turn.ok) return turn;
    using _turn = turn.value;
    const { paths, file } = this.#options;
    const whole = { ...job, paths, file };
    if (kind === 'write') return ok(await this.#write(uid, whole));
    const worker = kind === 'simulate' && uid === 0 ? this.#simulator : this.#workerOf(uid);
    return ok(await worker.ask(uid, whole, signal));
  }

  #workerOf(uid: number): PolicyWorker {
    return uid === 0 ? this.#worker : this.#resellers;
  }

  async #write(uid: number, job: PolicyJob): Promise<PolicyJobAnswer> {
    this.#writing++;
    const done = await this.#workerOf(uid)
      .ask(uid, job)
      .finally(() => this.#writing--);
    const by = job.author.uid ?? uid;
    const pending = this.#goesBack.check().find((each) => each.uid === by);
    const { written } = done;
    if (written === undefined) return done;
    const { isSame, ...result } = written;
    const { failures = [] } = JSON.parse(done.body) as { readonly failures?: readonly string[] };
    const isKept = !isSame && (await this.#isLate());
    const { state, problems } = this.#options.state();
    const isApplied = isKept || state === 'in force';
    const isRoot = job.audience.kind === 'administrator';
    const all = [...failures, ...(isApplied ? [] : problems)];
    // The problems of a host name its files and other tenants.
    const shown = isRoot || all.length === 0 ? all : [notWhole];
    return answer({
      ...result,
      state: isKept ? 'kept' : stateOf(state),
      failures: shown,
      ...(pending && { pending: pendingOf(pending) }),
    } satisfies PolicyWritten);
  }

  /** Applies the policy; returns whether that takes longer than a client waits. */
  #isLate(): Promise<boolean> {
    return answerSoon(
      this.#options.apply().then(() => false),
      true,
    );
  }

  /** Checks whether this host takes a policy as its fleet's. */
  async checkRelease(
    release: string,
    memoryBytes: ReleaseQuestion['memoryBytes'],
  ): Promise<Result<ReleaseCheck, string>> {
    const question = { kind: 'release', release, memoryBytes } as const;
    const { status, body } = await this.#worker.ask(0, this.#rootJob(question));
    return status === 200
      ? ok(JSON.parse(body) as ReleaseCheck)
      : fail((JSON.parse(body) as ErrorResponse).error);
  }

  #rootJob(question: PolicyJob['question']): PolicyJob {
    const { paths, file } = this.#options;
    const root = { kind: 'administrator' } as const;
    return { paths, file, audience: root, editor: root, author: {}, question };
  }

  async #goBack(): Promise<Result<WentBack, string>> {
    const { status, body } = await this.#worker.ask(0, this.#rootJob({ kind: 'go back' }));
    if (status !== 200) return fail((JSON.parse(body) as ErrorResponse).error);
    const done = JSON.parse(body) as WentBack;
    if (done.isReplaced) await this.#options.apply();
    return ok(done);
  }

  [Symbol.dispose](): void {
    this.#goesBack[Symbol.dispose]();
    this.#worker[Symbol.dispose]();
    this.#resellers[Symbol.dispose]();
    this.#simulator[Symbol.dispose]();
  }
}

const notWhole = 'Something failed; the administrator sees what';

const stateOf = (state: PolicyState['state']): PolicyWritten['state'] =>
  state === 'absent' ? 'refused' : state;
