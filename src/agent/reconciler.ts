/**
 * Keeps the host in line with the policy: at start, and after each change of the policy or of the accounts.
 *
 * A policy with errors is reported and not applied. The previous one stays in force: the last good
 * text is kept (across restarts, too), and applies to accounts created meanwhile.
 */
import { count } from '../../packages/base/list.ts';
import { isDeepStrictEqual } from 'node:util';
import type { Paths } from '../host/paths.ts';
import { causedBy, formatProblem, type Problem } from '../../packages/base/problem.ts';
import { formatDiagnostic, type Diagnostic } from '../policy/diagnostic.ts';
import { replaceStateFile } from '../../packages/base/io/replace-file.ts';
import type { Policy } from '../policy/policy.ts';
import type { StatusResponse } from './api/status-response.ts';
import { Applier } from '../apply/apply-process.ts';
import type { ChildApplied, ApplyResponse } from '../apply/apply-request.ts';
import type { Log } from './log.ts';

export type PolicyState = StatusResponse['policy'];

const retryMilliseconds = 60_000;
/** How often accounts that do not exist are looked up again: no file changes when a directory service answers again. */
const missingMilliseconds = 600_000;
/** The maximum number of errors that are kept and logged. */
const problemsMax = 50;

/** Called with what has been applied. */
type Adopt = (applied: ChildApplied) => void;

export class PolicyReconciler implements Disposable {
  readonly #file: string;
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #changed: Adopt;
  #state: PolicyState;
  /** The policy in force. */
  #policy: Policy | undefined;
  /** Whether the refused policy, or the one to stay in force, names accounts that nothing has found. */
  #namesUnknown = false;
  #changes = 0;
  #isApplied = false;
  #siteFailures: ReadonlyMap<string, Problem> = new Map();
  #running: Promise<void> | undefined;
  #again = false;
  #waiting: (() => void)[] = [];
  #tried = 0;
  readonly #applier = new Applier();
  #ended = false;

  constructor(file: string, paths: Paths, log: Log, changed: Adopt) {
    this.#file = file;
    this.#paths = paths;
    this.#log = log;
    this.#changed = changed;
    this.#state = { file, state: 'absent', stateChangedAt: Date.now(), problems: [] };
  }

  get state(): PolicyState {
    return this.#state;
  }

  /** Whether the last run has applied the policy of the file, apart from the failures in `state`. */
  get isApplied(): boolean {
    return this.#isApplied;
  }

  /** The number of values that the last apply has changed. */
  get changes(): number {
    return this.#changes;
  }

  /** Returns the reason why the last apply could not set up the cgroup of a site. */
  siteProblem(cgroup: string): Problem | undefined {
    return this.#siteFailures.get(cgroup);
  }

  /** Returns the share of the running apply's changes that is done: 0 to 1; undefined while that is unknown. */
  get progress(): number | undefined {
    return this.#applier.progress;
  }

  /**
   * Whether to apply again: once a minute after changes that failed, such as a lower limit of memory in use, and while a
   * policy is refused whose accounts a directory service may find later; less often while accounts of the policy in force
   * do not exist.
   */
  get wantsRetry(): boolean {
    const { state } = this.#state;
    const isSoon = state === 'failed' || (state === 'refused' && this.#namesUnknown);
    const isMissing = (this.#policy?.missing.length ?? 0) > 0;
    const pause = isMissing ? missingMilliseconds : Infinity;
    const wait = isSoon ? retryMilliseconds : pause;
    return performance.now() - this.#tried > wait;
  }

  /** Reads and applies; a call during a run causes another run. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** Resolves after the next run, though others may be wanted by then. */
  nextRun(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      void this.refresh();
    });
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#ended) {
      this.#again = false;
      const waiting = this.#waiting.splice(0);
      await this.#once();
      for (const resolve of waiting) resolve();
    }
  }

  async #once(): Promise<void> {
    this.#tried = performance.now();
    const answered = await this.#applier.apply({
      instance: this.#paths.instance,
      file: this.#file,
      lastText: this.#policy?.text,
      keptPath: this.#keptPath(),
      problemsMax,
    });
    if (this.#ended) return;
    this.#isApplied =
      answered.ok && answered.value.file === 'good' && answered.value.applied?.ok === true;
    if (!answered.ok) return this.#enter('failed', [formatProblem(answered.error)]);
    const { file, problem, diagnostics, namesUnknown, unrecorded, applied } = answered.value;
    this.#namesUnknown = namesUnknown;
    if (applied?.ok === true) this.#keep(applied.value);
    const failures = failuresOf(applied).map(formatProblem);
    const isError = ({ severity }: Diagnostic) => severity === 'error';
    const problems = [
      ...(problem === undefined ? [] : [formatProblem(problem)]),
      ...diagnostics.filter(isError).map(formatDiagnostic),
    ];
    const warnings = [
      ...(unrecorded === undefined ? [] : [formatProblem(unrecorded)]),
      ...diagnostics.filter((each) => !isError(each)).map(formatDiagnostic),
    ];
    if (file !== 'good') {
      const state = file === 'absent' && applied === undefined ? 'absent' : 'refused';
      return this.#enter(state, [...problems, ...failures, ...warnings]);
    }
    this.#enter(failures.length > 0 ? 'failed' : 'in force', [...failures, ...warnings]);
  }

  #keptPath(): string {
    return `${this.#paths.state}/policy-in-force.xml`;
  }

  #keep(applied: ChildApplied): void {
    const { policy, changes } = applied;
    this.#siteFailures = applied.siteFailures;
    this.#changes = changes;
    const before = this.#policy;
    this.#policy = policy;
    if (before?.text !== policy.text) this.#writeKept(policy.text);
    if (changes > 0 || before === undefined) {
      const tenants = policy.tenants.length;
      this.#log.info(
        { changes, tenants },
        `Applied ${this.#file} to ${count(tenants, 'tenant')}: ${count(changes, 'change')}`,
      );
    }
    this.#changed(applied);
  }

  #writeKept(text: string): void {
    const kept = replaceStateFile(this.#keptPath(), text);
    if (kept.ok) return;
    const action = 'keep a copy of the policy in force';
    this.#log.warn(formatProblem({ action, ...causedBy(kept.error) }));
  }

  #enter(state: PolicyState['state'], all: readonly string[]): void {
    const problems = all.slice(0, problemsMax);
    if (this.#state.state === state && isDeepStrictEqual(this.#state.problems, problems)) return;
    this.#state = { file: this.#file, state, stateChangedAt: Date.now(), problems };
    const level = state === 'in force' ? 'warn' : 'error';
    for (const problem of problems) this.#log[level](problem);
    if (state === 'refused') {
      this.#log.error(`The policy ${this.#file} has errors; the previous one stays in force`);
    }
    if (state === 'absent') {
      this.#log.warn(`There is no policy ${this.#file}; "bulkhead init" writes a first one`);
    }
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#applier[Symbol.dispose]();
  }
}

function failuresOf(applied: ApplyResponse['applied']): readonly Problem[] {
  if (applied === undefined) return [];
  return applied.ok ? applied.value.failures : [applied.error];
}
