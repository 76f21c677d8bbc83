/**
 * Tells the agent which sites of a tenant are served, from the last record. If the wanted site is not in it, the web
 * servers are asked again. Tenants decide when, so this happens at most once a minute.
 */
import type { Log } from '../../../agent/log.ts';
import type { AgentPart } from '../../../agent/part.ts';
import { failed, formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Restore } from '../../../host/restore-elsewhere.ts';
import type { Policy } from '../../../policy/policy.ts';
import type { ServedSites } from '../../core/served-sites.ts';
import { readServed, servedVersion } from './record.ts';
import { syncElsewhere } from './sync-elsewhere.ts';

const againMs = 60_000;
/**
 * How long a caller waits for an answer, before the limit is applied. Web servers are asked to the end all the same.
 */
const patienceMs = 15_000;

export const servedPart = (paths: Paths, log: Log): AgentPart =>
  new ServedPart(paths, log, syncElsewhere);

export class ServedPart implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #sync: Restore;
  readonly #clock: () => number;
  #policyFile: string | undefined;
  #record: { readonly version: string | undefined; readonly sites: ServedSites } | undefined;
  #running: Promise<Problem | undefined> | undefined;
  #endedAt = -Infinity;
  #problem: Problem | undefined;

  /** `clock`: monotonic, in milliseconds. */
  constructor(paths: Paths, log: Log, sync: Restore, clock = () => performance.now()) {
    this.#paths = paths;
    this.#log = log;
    this.#sync = sync;
    this.#clock = clock;
  }

  adopt({ file }: Policy): void {
    this.#policyFile = file;
  }

  async servedSites(uid: number, wanted: string): Promise<Result<ReadonlySet<string>, Problem>> {
    const known = this.#sitesOf(uid);
    if (known.has(wanted)) return ok(known);
    if (this.#clock() - this.#endedAt >= againMs) this.#running ??= this.#ask();
    const problem = this.#running === undefined ? this.#problem : await inTime(this.#running);
    const now = this.#sitesOf(uid);
    return problem === undefined || now.has(wanted) ? ok(now) : failed(problem);
  }

  #sitesOf(uid: number): ReadonlySet<string> {
    const version = servedVersion(this.#paths);
    if (this.#record === undefined || this.#record.version !== version)
      this.#record = { version, sites: readServed(this.#paths) ?? new Map() };
    return this.#record.sites.get(uid) ?? new Set();
  }

  async #ask(): Promise<Problem | undefined> {
    const done = await this.#sync(this.#paths, this.#policyFile ?? '');
    this.#endedAt = this.#clock();
    this.#running = undefined;
    // Messages of web servers can be about other tenants' files.
    this.#problem = done.ok ? undefined : notAsked;
    if (!done.ok) this.#log.warn(formatProblem(done.error));
    return this.#problem;
  }
}

const notAsked: Problem = {
  action: 'find sites',
  reason: 'the web servers could not be asked, or not for everything',
  hint: 'ask the administrator, who finds the reason in the log of the agent',
};

async function inTime(running: Promise<Problem | undefined>): Promise<Problem | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Problem>((resolve) => {
    const reason = 'the web servers have not answered yet';
    const problem = { action: 'find sites', reason, hint: 'try again in a minute' };
    timer = setTimeout(() => resolve(problem), patienceMs);
  });
  try {
    return await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
  }
}
