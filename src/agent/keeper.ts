/**
 * Keeps the host as the policy says: at start, and after each change of the policy or of the accounts.
 *
 * A policy that is wrong is reported and not applied. What was in force stays in force: the last
 * good text is kept (also over restarts), and accounts that are made meanwhile are held to it.
 */
import { text as textOf } from 'node:stream/consumers';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { scriptBeside, spawnScript } from '../host/child-script.ts';
import type { Paths } from '../host/paths.ts';
import { readText } from '../host/read.ts';
import { reasonOf } from '../host/errno.ts';
import { replaceFile } from '../host/replace-file.ts';
import { printDiagnostic } from '../policy/diagnostic.ts';
import type { Policy } from '../policy/policy.ts';
import type { StatusAnswer } from './api.ts';
import type { ApplyReply, ApplyRequest } from './apply-child.ts';
import { loadPolicy, resolveText, type Loaded } from './load.ts';
import type { Log } from './log.ts';
import { Roster } from './roster.ts';

export type PolicyState = StatusAnswer['policy'];

const applyMilliseconds = 600_000;
const retryMilliseconds = 60_000;
/** As many lines of what is wrong as are kept and logged. */
const mostProblems = 50;

/** Told of a policy that has been applied, and of what tells home directories apart, by uid. */
export type Adopt = (policy: Policy, roster: Roster, homes: ReadonlyMap<number, string>) => void;
type Applied = Exclude<ApplyReply, { readonly error: string }>;

interface Good {
  readonly text: string;
  readonly policy: Policy;
  readonly roster: Roster;
}

export class PolicyKeeper implements Disposable {
  readonly #file: string;
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #changed: Adopt;
  #state: PolicyState;
  #good: Good | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #tried = 0;
  #child: ChildProcess | undefined;
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
    const loaded = loadPolicy(this.#file, this.#paths);
    const problems = problemsOf(loaded);
    const good = goodOf(loaded) ?? this.#fallback();
    if (good === undefined) return this.#enter(stateWithout(loaded), problems);
    const reply = await this.#apply(good.text);
    if (this.#ended) return;
    const failures = 'error' in reply ? [reply.error] : reply.failures;
    if (!('error' in reply)) this.#keep(good, reply);
    if (loaded.policy === undefined) {
      this.#enter('refused', [...problems, ...failures]);
    } else {
      this.#enter(failures.length > 0 ? 'failed' : 'in force', [...failures, ...problems]);
    }
  }

  /** The last good text with the accounts of now; the last good policy where they do not fit it. */
  #fallback(): Good | undefined {
    const text = this.#good?.text ?? readText(this.#keptPath());
    if (text === undefined) return undefined;
    return goodOf(resolveText(this.#file, text, this.#paths)) ?? this.#good;
  }

  #keptPath(): string {
    return `${this.#paths.state}/policy-in-force.xml`;
  }

  #keep(good: Good, { changes, homes }: Applied): void {
    const before = this.#good;
    this.#good = good;
    if (before?.text !== good.text) this.#writeKept(good.text);
    if (changes > 0 || before === undefined) {
      this.#log.info(
        { changes, tenants: good.roster.tenants },
        `Holding ${good.roster.tenants} tenants to ${this.#file}: ${changes} changes made`,
      );
    }
    this.#changed(good.policy, good.roster, new Map(homes));
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
    const problems = all.slice(0, mostProblems);
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

  async #apply(text: string): Promise<ApplyReply> {
    const request: ApplyRequest = { instance: this.#paths.instance, file: this.#file, text };
    const started = spawnScript(scriptBeside(import.meta.url, './apply-child'));
    if (!started.ok) return { error: `Cannot apply the policy: ${started.error}` };
    const child = started.value;
    this.#child = child;
    const timer = setTimeout(() => child.kill('SIGKILL'), applyMilliseconds).unref();
    child.on('error', () => {});
    child.stdin.on('error', () => {});
    child.stdin.end(JSON.stringify(request));
    try {
      const [out, problems] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
      return parseReply(out, problems);
    } finally {
      clearTimeout(timer);
      this.#child = undefined;
    }
  }

  /** An apply that is cut off is ended by the next one. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.#child?.kill('SIGKILL');
  }
}

function parseReply(out: string, problems: string): ApplyReply {
  try {
    return JSON.parse(out) as ApplyReply;
  } catch {
    const why = problems.trim().split('\n').at(-1) ?? '';
    return { error: `Cannot apply the policy: the process that does it ended early ${why}`.trim() };
  }
}

function goodOf({ policy, document }: Loaded): Good | undefined {
  if (policy === undefined || document === undefined) return undefined;
  return { text: document.text, policy, roster: new Roster(policy, document) };
}

function problemsOf({ problem, diagnostics }: Loaded): readonly string[] {
  const shown = diagnostics.filter((each) => each.severity !== 'note').map(printDiagnostic);
  return problem === undefined ? shown : [problem, ...shown];
}

const stateWithout = ({ document, diagnostics }: Loaded) =>
  document === undefined && diagnostics.length === 0 ? 'absent' : 'refused';
