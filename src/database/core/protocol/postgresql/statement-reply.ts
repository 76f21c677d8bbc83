/**
 * Reads the reply to a statement, message by message: columns, rows, and at the end that the server is ready. Source:
 * PostgreSQL's manual, "Message Flow", "Simple Query".
 */
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';
import type { DatabaseFailure } from '../failure.ts';
import { rowsMax, type Row, type Rows } from '../reply.ts';
import { notPostgresql, readServerFailure } from './failure.ts';
import { MessageFields } from './fields.ts';
import type { Message } from './messages.ts';

const columnsMax = 200;
/** The table, the column's number, the type, its size, its modifier, and the format. */
const columnTailBytes = 18;
/** Notices, settings of the session, notifications, the end of one statement, and an empty one. */
const ignored: ReadonlySet<string> = new Set(['N', 'S', 'A', 'C', 'I']);

export class StatementReply {
  #columns: readonly string[] = [];
  #rows: Row[] = [];
  #failure: DatabaseFailure | undefined;

  /**
   * Returns the rows of the last statement once the server is ready. An error without a code is one of the protocol, or
   * one with which the server leaves; it ends the connection.
   */
  take({ kind, content }: Message): Result<Rows | undefined, DatabaseFailure> {
    if (ignored.has(kind)) return ok(undefined);
    if (kind === 'D') return this.#takeRow(content);
    if (kind === 'T') return this.#takeColumns(content);
    if (kind === 'Z') return this.#failure === undefined ? ok(this.#rows) : fail(this.#failure);
    if (kind !== 'E') return fail(notPostgresql('a reply'));
    const { failure, isFatal } = readServerFailure(content);
    this.#failure ??= failure;
    return isFatal ? fail(withoutCode(failure)) : ok(undefined);
  }

  #takeColumns(content: Uint8Array): Result<undefined, DatabaseFailure> {
    const fields = new MessageFields(content);
    const count = fields.integer(2);
    if (count === undefined || count < 0 || count > columnsMax)
      return fail(notPostgresql('a list of columns'));
    const columns: string[] = [];
    for (let each = 0; each < count; each += 1) {
      const name = fields.zeroTerminated();
      if (name === undefined || fields.bytes(columnTailBytes) === undefined)
        return fail(notPostgresql('a column'));
      columns.push(name.toLowerCase());
    }
    this.#columns = columns;
    this.#rows = [];
    return ok(undefined);
  }

  #takeRow(content: Uint8Array): Result<undefined, DatabaseFailure> {
    if (this.#rows.length === rowsMax)
      return fail({ reason: `the server sent more than ${rowsMax} rows` });
    const fields = new MessageFields(content);
    if (fields.integer(2) !== this.#columns.length) return fail(notPostgresql('a row'));
    const row = new Map<string, string | null>();
    for (const column of this.#columns) {
      const value = fields.value();
      if (value === undefined) return fail(notPostgresql('a row'));
      row.set(column, value);
    }
    this.#rows.push(row);
    return ok(undefined);
  }
}

const withoutCode = ({ reason }: DatabaseFailure): DatabaseFailure => ({ reason });
