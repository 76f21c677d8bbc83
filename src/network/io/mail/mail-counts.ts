/**
 * Counts the messages that each account hands to the host's mail server: by Exim's log, where nobody else can write, and
 * by Postfix's lines in the journal, which notes who wrote them. Messages that a program sends over the network, to this
 * host's port 25 as well, have no account.
 */
import type { Paths } from '../../../host/paths.ts';
import { eximSubmitter } from '../../core/exim-log.ts';
import { FollowedLog } from './followed-log.ts';
import { PostfixJournal } from './postfix-journal.ts';

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
  readonly #journal: PostfixJournal;
  /** Counts of Exim by the account's name, and of Postfix by its uid. */
  readonly #counts = new Map<string | number, number>();
  #hasJournal = false;
  #running: Promise<void> | undefined;

  /** Counts from now on. `logs`: Exim's files, for tests. */
  constructor(paths: Pick<Paths, 'etc'>, logs: readonly string[] = eximLogs) {
    this.#logs = logs.map((path) => new FollowedLog(path));
    this.#journal = new PostfixJournal(paths);
    void this.read();
  }

  /** Reads what was logged since the last call, up to some megabytes. Call it about once a minute. */
  read(): Promise<void> {
    for (const log of this.#logs) for (const line of log.lines()) this.#add(eximSubmitter(line));
    this.#running ??= this.#readJournal().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #readJournal(): Promise<void> {
    const uids = await this.#journal.read();
    this.#hasJournal = uids !== undefined;
    for (const uid of uids ?? []) this.#add(uid);
  }

  #add(key: string | number | undefined): void {
    if (key === undefined) return;
    const count = this.#counts.get(key);
    if (count !== undefined || this.#counts.size < accountsMax)
      this.#counts.set(key, (count ?? 0) + 1);
  }

  /** Returns the number since this began; undefined if no log was found, so that it is unknown. */
  messages(account: string, uid: number): number | undefined {
    if (!this.#hasJournal && !this.#logs.some(({ isThere }) => isThere)) return undefined;
    return (this.#counts.get(account) ?? 0) + (this.#counts.get(uid) ?? 0);
  }

  [Symbol.dispose](): void {
    for (const log of this.#logs) log[Symbol.dispose]();
  }
}
