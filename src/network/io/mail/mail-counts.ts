/**
 * Counts the messages that each account hands to the host's mail server, from its log. Exim writes who that was; nobody
 * else can write there. Messages that a program sends over the network, to this host's port 25 as well, have no account.
 */
import { eximSubmitter } from '../../core/exim-log.ts';
import { FollowedLog } from './followed-log.ts';

/** Debian; cPanel; DirectAdmin; Enterprise Linux. */
const eximLogs = [
  '/var/log/exim4/mainlog',
  '/var/log/exim_mainlog',
  '/var/log/exim/mainlog',
  '/var/log/exim/main.log',
];
/** Names that are not accounts would fill the memory of a host with a broken log. */
const accountsMax = 100_000;

export class MailCounts implements Disposable {
  readonly #logs: readonly FollowedLog[];
  readonly #counts = new Map<string, number>();

  /** `logs`: the files, for tests. */
  constructor(logs: readonly string[] = eximLogs) {
    this.#logs = logs.map((path) => new FollowedLog(path));
    this.read();
  }

  /** Reads what was logged since the last call, up to some megabytes. */
  read(): void {
    for (const log of this.#logs)
      for (const line of log.lines()) {
        const account = eximSubmitter(line);
        if (account === undefined) continue;
        const count = this.#counts.get(account);
        if (count !== undefined || this.#counts.size < accountsMax)
          this.#counts.set(account, (count ?? 0) + 1);
      }
  }

  /** Returns the number since this began; undefined if no log was found, so that it is unknown. */
  messages(account: string): number | undefined {
    return this.#logs.some(({ isThere }) => isThere) ? (this.#counts.get(account) ?? 0) : undefined;
  }

  [Symbol.dispose](): void {
    for (const log of this.#logs) log[Symbol.dispose]();
  }
}
