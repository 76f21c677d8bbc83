/**
 * The record of logins to the console, in `changes.db`. Callers hold the lock of that file.
 *
 * Bounded: 200 rows of each account, 5,000 of root's, and 15,000 of all others together. No tenant displaces what root did.
 */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Database } from '../database.ts';
import { openChanges } from './changes-schema.ts';

/** `began`: a session was started; `ended`: somebody ended it; `refused`: codes and tokens that were not valid, counted. */
export type LoginKind = 'began' | 'ended' | 'refused';

export interface RecordedLogin {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly kind: LoginKind;
  readonly session?: string;
  /** The account whose rights the session has. */
  readonly user?: string;
  readonly uid?: number;
  /** The account that asked for the login, or that ended the session. */
  readonly by?: string;
  readonly readOnly?: boolean;
  /** How many were refused. */
  readonly count?: number;
}

const ofAccountMax = 200;
const ofRootMax = 5_000;
const ofOthersMax = 15_000;

interface Statements {
  readonly add: StatementSync;
  readonly list: StatementSync;
  readonly limitAccount: StatementSync;
  readonly limitRoot: StatementSync;
  readonly limitOthers: StatementSync;
}

export class LoginStore implements Disposable {
  readonly #database: Database<Statements>;

  constructor(directory: string) {
    this.#database = openChanges(directory, prepare);
  }

  /** Adds rows, all or none. */
  add(logins: readonly RecordedLogin[]): Result<void, Problem> {
    const action = 'write the record of logins';
    const written = this.#database.transaction(action, () =>
      this.#database.run(action, ({ statements }) => {
        for (const each of logins) addOne(statements, each);
        const uids = new Set(logins.flatMap(({ uid }) => uid ?? []));
        for (const uid of uids) if (uid !== 0) statements.limitAccount.run(uid, uid);
        statements.limitRoot.run();
        statements.limitOthers.run();
      }),
    );
    return written.ok ? written.value : written;
  }

  /** Lists logins of a period, the latest first; at most `count`. */
  list(from: number, to: number, count: number): Result<readonly RecordedLogin[], Problem> {
    return this.#database.run('read the record of logins', ({ statements }) =>
      statements.list.all(from, to, count).map(loginOf),
    );
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

function addOne({ add }: Statements, login: RecordedLogin): void {
  const { at, kind, session, user, uid, by, readOnly, count } = login;
  const isReadOnly = readOnly === undefined ? null : Number(readOnly);
  const who = [session ?? null, user ?? null, uid ?? null, by ?? null] as const;
  add.run(at, kind, ...who, isReadOnly, count ?? null);
}

/** Rows without an account count as others'. */
const isRoot = 'uid IS NOT NULL AND uid = 0';

const beyond = (condition: string, max: number) =>
  `DELETE FROM logins WHERE ${condition} AND number <= (SELECT number FROM logins WHERE ${condition}
     ORDER BY number DESC LIMIT 1 OFFSET ${max})`;

const prepare = (db: DatabaseSync): Statements => ({
  add: db.prepare(
    `INSERT INTO logins (at, kind, session, user, uid, by_user, read_only, count)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  list: db.prepare('SELECT * FROM logins WHERE at BETWEEN ? AND ? ORDER BY number DESC LIMIT ?'),
  limitAccount: db.prepare(beyond('uid = ?', ofAccountMax)),
  limitRoot: db.prepare(beyond(isRoot, ofRootMax)),
  limitOthers: db.prepare(beyond(`NOT (${isRoot})`, ofOthersMax)),
});

function loginOf(row: Record<string, SQLOutputValue>): RecordedLogin {
  const text = (column: string, as = column) =>
    row[column] === null ? {} : { [as]: String(row[column]) };
  const whole = (column: string) => (row[column] === null ? {} : { [column]: Number(row[column]) });
  return {
    at: Number(row['at']),
    kind: String(row['kind']) as LoginKind,
    ...text('session'),
    ...text('user'),
    ...whole('uid'),
    ...text('by_user', 'by'),
    ...(row['read_only'] !== null && { readOnly: row['read_only'] === 1 }),
    ...whole('count'),
  };
}
