/** Reads from the journal which accounts handed messages to Postfix since the last call. */
import { existsSync } from 'node:fs';
import { decodeText } from '../../../../packages/base/io/regular-file.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { parsePasswd } from '../../../host/accounts/accounts.ts';
import type { Paths } from '../../../host/paths.ts';
import { runBounded } from '../../../sys/processes/run-bounded.ts';
import { journalEntry, type JournalEntry } from '../../core/postfix-journal.ts';

const program = '/usr/bin/journalctl';
const bounds = { timeoutMs: 30_000, bytesMax: 64 * 2 ** 20 };
const format = ['--quiet', '--no-pager', '--output=json'];

export class PostfixJournal {
  readonly #uid: number | undefined;
  #cursor: string | undefined;

  constructor({ etc }: Pick<Paths, 'etc'>) {
    const accounts = parsePasswd(readText(`${etc}/passwd`) ?? '');
    this.#uid = accounts.find(({ user }) => user === 'postfix')?.uid;
  }

  /** Returns the uids, one for each message. The first call only finds the end of the journal; undefined: unknown. */
  async read(): Promise<readonly number[] | undefined> {
    if (this.#uid === undefined || !existsSync(program)) return undefined;
    const from = this.#cursor;
    const asked =
      from === undefined
        ? ['--lines=1']
        : [
            `--after-cursor=${from}`,
            '--output-fields=MESSAGE,SYSLOG_IDENTIFIER',
            `_UID=${this.#uid}`,
          ];
    const run = await runBounded(program, [...format, ...asked], bounds);
    if (!run.ok || run.value.status !== 0) {
      // What came meanwhile is lost, and must not be asked for again and again.
      this.#cursor = undefined;
      return undefined;
    }
    const entries = decodeText(run.value.stdout).split('\n').map(journalEntry).filter(isEntry);
    this.#cursor = entries.at(-1)?.cursor ?? from;
    if (from === undefined) return this.#cursor === undefined ? undefined : [];
    return entries.flatMap(({ uid }) => uid ?? []);
  }
}

const isEntry = (entry: JournalEntry | undefined): entry is JournalEntry => entry !== undefined;
