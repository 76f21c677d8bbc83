/**
 * Keeps the host as the policy says: at start, and after each change of the policy or of the accounts.
 *
 * A policy that is wrong is reported and not applied. What was in force stays in force: the last
 * good text is kept (also over restarts), and accounts that are made meanwhile are held to it.
 */
import { mkdirSync } from 'node:fs';
import type { Paths } from '../host/paths.ts';
import { reasonOf } from '../sys/errno.ts';
import { replaceFile } from '../sys/files/replace-file.ts';
import type { Policy } from '../policy/policy.ts';
import type { StatusResponse } from './api/api.ts';
import { Applier } from '../apply/apply-process.ts';
import type { Applied, ApplyResponse } from '../apply/apply-child.ts';
import type { Log } from './log.ts';

export type PolicyState = StatusResponse['policy'];

const retryMilliseconds = 60_000;
/** As many lines of what is wrong as are kept and logged. */
const problemsMax = 50;

/** Told of a policy that has been applied, and of what tells home directories apart, by uid. */
export type Adopt = (policy: Policy, homes: ReadonlyMap<number, string>) => void;

export class PolicyReconciler implements Disposable {
  readonly #file: string;
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #changed: Adopt;
  #state: PolicyState;
  /** What is in force. */
  #policy: Policy | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #tried = 0;
  readonly #applier = new Applier();
  #ended = false;

  constructor(file: string, paths: Paths, log: Log, changed: Adopt) {
    this.#file = file;
    this.#paths = paths;
    this.#log = log;
    this.#changed = changed;
    this.#state = { file, state: 'absent', since: Date.now(), problems: [] };
  }

  get state(): PolicyState {
    return this.#state;
  }

  /** What could not be applied, such as memory that was in use, is tried again once a minute. */
  get wantsRetry(): boolean {
    return this.#state.state === 'failed' && performance.now() - this.#tried > retryMilliseconds;
  }

  /** Looks and applies; a call while one is under way makes it look once more. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#ended) {
      this.#again = false;
      await this.#once();
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
    if (!answered.ok) return this.#enter('failed', [answered.error]);
    const { file, problems, applied } = answered.value;
    if (applied?.ok === true) this.#keep(applied.value);
    const failures = failuresOf(applied);
    if (file !== 'good') {
      const state = file === 'absent' && applied === undefined ? 'absent' : 'refused';
      return this.#enter(state, [...problems, ...failures]);
    }
    this.#enter(failures.length > 0 ? 'failed' : 'in force', [...failures, ...problems]);
  }

  #keptPath(): string {
    return `${this.#paths.state}/policy-in-force.xml`;
  }

  #keep({ policy, changes, homes }: Applied): void {
    const before = this.#policy;
    this.#policy = policy;
    if (before?.text !== policy.text) this.#writeKept(policy.text);
    if (changes > 0 || before === undefined) {
      const tenants = policy.tenants.length;
      this.#log.info(
        { changes, tenants },
        `Holding ${tenants} tenants to ${this.#file}: ${changes} changes made`,
      );
    }
    this.#changed(policy, homes);
  }

  #writeKept(text: string): void {
    try {
      mkdirSync(this.#paths.state, { recursive: true, mode: 0o755 });
      replaceFile(this.#keptPath(), text, 0o600);
    } catch (error) {
      this.#log.warn(`Cannot keep a copy of the policy in force: ${reasonOf(error)}`);
    }
  }

  #enter(state: PolicyState['state'], all: readonly string[]): void {
    const problems = all.slice(0, problemsMax);
    const same =
      this.#state.state === state && this.#state.problems.join('\n') === problems.join('\n');
    if (same) return;
    this.#state = { file: this.#file, state, since: Date.now(), problems };
    const level = state === 'in force' ? 'warn' : 'error';
    for (const problem of problems) this.#log[level](problem);
    if (state === 'refused') {
      this.#log.error(`The policy ${this.#file} is wrong; what was in force stays in force`);
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

function failuresOf(applied: ApplyResponse['applied']): readonly string[] {
  if (applied === undefined) return [];
  return applied.ok ? applied.value.failures : [applied.error];
}
