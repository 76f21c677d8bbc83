/**
 * The record of the policy's changes: `changes.db`. Callers hold a lock, since the agent and commands write it.
 *
 * Bounded: by age as incidents are (`forget`), 2,000 changes, and 32 MiB of compressed texts; see prune-changes.ts. The
 * last change always stays.
 */
import { createHash } from 'node:crypto';
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { ValueChange } from '../../policy/changes/describe.ts';
import { bytesMax as textBytesMax } from '../../policy/xml.ts';
import type { Database } from '../database.ts';
import { openChanges } from './changes-schema.ts';
import { deleteTexts, pruneChanges } from './prune-changes.ts';

/**
 *     pending      written, or about to be, and not applied yet
 *     in force     applied
 *     failed       applied in part; some change of the kernel failed
 *     refused      the policy has errors, so the previous one stays in force
 *     not written  the file could not be written
 */
export type ChangeOutcome = 'pending' | 'in force' | 'failed' | 'refused' | 'not written';

export interface ChangeAuthor {
  /** The command or request: `set`, `policy undo 12`, `console`; `by hand`: the file was edited. */
  readonly way: string;
  /** Absent if nobody knows who edited the file. */
  readonly uid?: number;
  readonly user?: string;
  /** A claim of the caller's environment: SUDO_USER. */
  readonly remark?: string;
  /** The console's session. */
  readonly session?: string;
  /** The account that asked for the session's login, if it is another one. */
  readonly loginBy?: string;
  /** The author's remark. */
  readonly comment?: string;
}

export interface ChangedValues {
  /** How many values changed. */
  readonly count: number;
  /** The first of them. */
  readonly values: readonly ValueChange[];
}

export interface NewChange extends ChangeAuthor {
  readonly at: number;
  readonly file: string;
  /** The text before; absent if it is unknown. */
  readonly before?: string;
  readonly text: string;
  /** Absent if a text is not a policy in XML, or the one before is unknown. */
  readonly changed?: ChangedValues;
  readonly outcome: ChangeOutcome;
  readonly problems: readonly string[];
}

export interface RecordedChange extends Omit<NewChange, 'before' | 'text'> {
  readonly number: number;
  /** SHA-256 of the texts, in hexadecimal. */
  readonly beforeKey?: string;
  readonly textKey: string;
  readonly outcomeAt: number;
}

/** A change in a list. `unknown`: it was announced and never applied, and no later change began with its text. */
export interface ListedChange extends Omit<RecordedChange, 'outcome'> {
  readonly outcome: ChangeOutcome | 'unknown';
}

/** The most that a list has. */
const listedMax = 2_000;
const writing = 'write the record of changes';
const reading = 'read the record of changes';

export const keyOfText = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Statements {
  readonly add: StatementSync;
  readonly addText: StatementSync;
  readonly settle: StatementSync;
  readonly forget: StatementSync;
  readonly last: StatementSync;
  readonly one: StatementSync;
  readonly list: StatementSync;
  readonly text: StatementSync;
}

export class ChangeStore implements Disposable {
  readonly #database: Database<Statements>;

  constructor(directory: string) {
    this.#database = openChanges(directory, prepare);
  }

  /** Returns events about the file to print, such as its replacement. */
  takeNotes(): readonly string[] {
    return this.#database.takeNotes();
  }

  /** Adds a change; returns its number. The oldest ones are deleted if there are too many. */
  add(change: NewChange): Result<number, Problem> {
    const { before, text, changed } = change;
    return this.#database.transaction(writing, () => {
      const added = this.#database.run(writing, ({ db, statements }) => {
        const keys = [before, text].map((each) =>
          each === undefined ? null : keepText(statements, each),
        ) as [string | null, string];
        const { lastInsertRowid } = statements.add.run(
          change.at,
          change.file,
          ...keys,
          change.way,
          change.uid ?? null,
          change.user ?? null,
          change.remark ?? null,
          changed === undefined ? null : JSON.stringify(changed),
          change.outcome,
          change.at,
          JSON.stringify(change.problems),
          change.session ?? null,
          change.loginBy ?? null,
          change.comment ?? null,
        );
        pruneChanges(db);
        return Number(lastInsertRowid);
      });
      return added.ok ? added.value : 0;
    });
  }

  /** Deletes changes before `at`, but not the last one. */
  forget(at: number): Result<void, Problem> {
    return this.#database.run(writing, ({ db, statements }) => {
      if (statements.forget.run(at).changes > 0) deleteTexts(db);
    });
  }

  /**
   * Sets the outcome of a change and, `withEarlier`, of those before it that wait for theirs: edits that were written one after
   * another come in force together. A text that no later edit began with was perhaps never written, so it keeps waiting.
   */
  settle(
    number: number,
    outcome: ChangeOutcome,
    at: number,
    problems: readonly string[],
    withEarlier: boolean,
  ): Result<void, Problem> {
    return this.#database.run(writing, ({ statements: { settle, one } }) => {
      const values = [outcome, at, JSON.stringify(problems)] as const;
      let beforeKey = one.get(number)?.['before_key'];
      settle.run(...values, number);
      if (!withEarlier) return;
      for (let each = number - 1; ; each--) {
        const earlier = one.get(each);
        if (!['pending', 'not written'].includes(String(earlier?.['outcome']))) return;
        if (earlier?.['outcome'] !== 'pending' || earlier['text_key'] !== beforeKey) continue;
        settle.run(...values, each);
        beforeKey = earlier['before_key'];
      }
    });
  }

  /** Returns the last change whose text is, or was, a valid policy; with `any`, the last change. */
  last(which: 'any' | 'valid'): Result<RecordedChange | undefined, Problem> {
    return this.#database.run(reading, ({ statements }) => {
      const row = statements.last.get(which === 'any' ? 1 : 0);
      return row && changeOf(row);
    });
  }

  change(number: number): Result<RecordedChange | undefined, Problem> {
    return this.#database.run(reading, ({ statements }) => {
      const row = statements.one.get(number);
      return row && changeOf(row);
    });
  }

  /** Lists changes of a period, latest first; at most `count`. */
  list(from: number, to: number, count = listedMax): Result<readonly ListedChange[], Problem> {
    return this.#database.run(reading, ({ statements }) =>
      statements.list.all(from, to, count).map((row) => {
        const change = changeOf(row);
        return row['lost'] === 1 ? { ...change, outcome: 'unknown' as const } : change;
      }),
    );
  }

  /** Returns a text. One that is not what its key says is a failure. */
  text(key: string): Result<string, Problem> {
    const body = this.#database.run(
      reading,
      ({ statements }) => statements.text.get(key)?.['body'],
    );
    if (!body.ok) return body;
    const object = `text ${key.slice(0, 12)}`;
    if (!(body.value instanceof Uint8Array))
      return failed({ action: 'read', object, reason: 'the record does not have it' });
    const text = unpack(body.value);
    if (text !== undefined && keyOfText(text) === key) return ok(text);
    return failed({ action: 'read', object, reason: 'it is damaged' });
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

function prepare(db: DatabaseSync): Statements {
  return {
    add: db.prepare(
      `INSERT INTO changes (at, file, before_key, text_key, way, uid, user, remark, changed,
         outcome, outcome_at, problems, session, login_by, comment)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    addText: db.prepare('INSERT OR REPLACE INTO texts (key, body) VALUES (?, ?)'),
    settle: db.prepare(
      'UPDATE changes SET outcome = ?, outcome_at = ?, problems = ? WHERE number = ?',
    ),
    forget: db.prepare(
      'DELETE FROM changes WHERE at < ? AND number < (SELECT max(number) FROM changes)',
    ),
    last: db.prepare(
      `SELECT * FROM changes WHERE ? OR outcome NOT IN ('refused', 'not written')
         ORDER BY number DESC LIMIT 1`,
    ),
    one: db.prepare('SELECT * FROM changes WHERE number = ?'),
    list: db.prepare(
      `SELECT *, outcome = 'pending' AND number < (SELECT max(number) FROM changes) AND NOT EXISTS
           (SELECT 1 FROM changes AS later
              WHERE later.before_key = changes.text_key AND later.number > changes.number) AS lost
         FROM changes WHERE at BETWEEN ? AND ? ORDER BY number DESC LIMIT ?`,
    ),
    text: db.prepare('SELECT body FROM texts WHERE key = ?'),
  };
}

/** Keeps a text once, whichever changes have it. A damaged one is replaced. */
function keepText({ text: read, addText }: Statements, text: string): string {
  const key = keyOfText(text);
  const body = read.get(key)?.['body'];
  if (!(body instanceof Uint8Array && unpack(body) === text))
    addText.run(key, zstdCompressSync(text));
  return key;
}

function unpack(body: Uint8Array): string | undefined {
  try {
    return zstdDecompressSync(body, { maxOutputLength: textBytesMax }).toString();
  } catch {
    return undefined;
  }
}

function changeOf(row: Record<string, SQLOutputValue>): RecordedChange {
  const text = (name: string) => String(row[name]);
  const optional = (name: string, as = name) => (row[name] === null ? {} : { [as]: row[name] });
  return {
    number: Number(row['number']),
    at: Number(row['at']),
    file: text('file'),
    ...(row['before_key'] !== null && { beforeKey: text('before_key') }),
    textKey: text('text_key'),
    way: text('way'),
    ...(optional('uid') as { uid?: number }),
    ...(optional('user') as { user?: string }),
    ...(optional('remark') as { remark?: string }),
    ...(optional('session') as { session?: string }),
    ...(optional('login_by', 'loginBy') as { loginBy?: string }),
    ...(optional('comment') as { comment?: string }),
    ...(row['changed'] !== null && { changed: JSON.parse(text('changed')) as ChangedValues }),
    outcome: text('outcome') as ChangeOutcome,
    outcomeAt: Number(row['outcome_at']),
    problems: JSON.parse(text('problems')) as readonly string[],
  };
}
