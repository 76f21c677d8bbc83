/**
 * Tells the agent how many bytes web servers have sent for each tenant's sites. It follows the logs of the last record;
 * web servers are asked again each hour, since sites come and go.
 */
import type { SentByWeb } from '../../../agent/api/usage-api.ts';
import type { Log } from '../../../agent/log.ts';
import type { AgentPart } from '../../../agent/part.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import { readUidRange } from '../../../host/accounts/accounts.ts';
import { readGroups } from '../../../host/accounts/groups.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Restore } from '../../../host/restore-elsewhere.ts';
import type { Policy } from '../../../policy/policy.ts';
import { findWebPrograms } from '../find-programs.ts';
import { syncElsewhere } from '../served/sync-elsewhere.ts';
import { readWebLogs, webLogsVersion } from './record.ts';
import { WebCounts } from './web-counts.ts';

const readMilliseconds = 10_000;
/** The first time comes late, since a host that starts has more urgent work. */
const firstAskMilliseconds = 300_000;
const askMilliseconds = 3_600_000;

export const sentPart = (paths: Paths, log: Log): AgentPart => new SentPart(paths, log);

export class SentPart implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #sync: Restore;
  readonly #counts: WebCounts;
  #policyFile: string | undefined;
  #version: string | undefined;
  #reading: NodeJS.Timeout | undefined;
  #asking: NodeJS.Timeout | undefined;
  #logged = '';

  constructor(paths: Paths, log: Log, sync: Restore = syncElsewhere) {
    this.#paths = paths;
    this.#log = log;
    this.#sync = sync;
    // The group of Ubuntu's logger may write to /var/log.
    const logger = readGroups(paths).get('syslog');
    this.#counts = new WebCounts({
      groups: new Set(logger === undefined ? [] : [logger]),
      peopleFrom: readUidRange(paths).first,
    });
  }

  adopt({ file }: Policy): void {
    this.#policyFile = file;
    this.#reading ??= setInterval(() => void this.read(), readMilliseconds).unref();
    this.#asking ??= setTimeout(() => void this.#ask(), firstAskMilliseconds).unref();
  }

  async #ask(): Promise<void> {
    const { nginx, apache } = findWebPrograms();
    if (nginx !== undefined || apache !== undefined) {
      const done = await this.#sync(this.#paths, this.#policyFile ?? '');
      this.#tell(done.ok ? '' : formatProblem(done.error));
    }
    if (this.#asking !== undefined)
      this.#asking = setTimeout(() => void this.#ask(), askMilliseconds).unref();
  }

  async read(): Promise<void> {
    try {
      const version = webLogsVersion(this.#paths);
      if (version !== this.#version) this.#counts.follow(readWebLogs(this.#paths));
      this.#version = version;
      await this.#counts.read();
    } catch (error) {
      this.#tell(formatProblem({ action: 'read the access logs of sites', ...causeOf(error) }));
    }
  }

  #tell(text: string): void {
    if (text !== '' && text !== this.#logged) this.#log.warn(text);
    this.#logged = text;
  }

  sentByWeb(uid: number, tenantSince: number): SentByWeb | undefined {
    return this.#counts.sent(uid, tenantSince);
  }

  [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#reading);
    clearTimeout(this.#asking);
    this.#asking = undefined;
    this.#counts[Symbol.dispose]();
    return Promise.resolve();
  }
}
