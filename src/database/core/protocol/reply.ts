/**
 * Reads the reply to a statement, packet by packet: nothing, or columns and then rows of text. Source: MariaDB Server
 * Documentation, "Result Set Packets".
 */
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { isFailure, notUnderstood, readFailure, type DatabaseFailure } from './failure.ts';
import { Fields } from './fields.ts';

/** Values by the name of their column, in lower case; null is SQL's NULL. */
export type Row = ReadonlyMap<string, string | null>;
export type Rows = readonly Row[];

/** Statements ask for no more, since a longer reply ends the connection. */
export const rowsMax = 10_000;
const columnsMax = 200;
const endMark = 0xfe;
/** A longer packet with the same first byte is a row. */
const endBytesMax = 8;
/** The packet asks for a file of the client, which it never gets. */
const fileMark = 0xfb;

export class Reply {
  #columns: readonly string[] = [];
  #columnCount: number | undefined;
  #hasColumns = false;
  readonly #rows: Row[] = [];

  /** Returns the rows once they are complete. An error of the protocol is one without a code; it ends the connection. */
  take(packet: Uint8Array): Result<Rows | undefined, DatabaseFailure> {
    if (isFailure(packet)) return fail(readFailure(packet));
    if (this.#columnCount === undefined) return this.#begin(packet);
    if (!this.#hasColumns) return this.#takeColumn(packet);
    if (isEnd(packet)) return ok(this.#rows);
    return this.#takeRow(packet);
  }

  #begin(packet: Uint8Array): Result<Rows | undefined, DatabaseFailure> {
    if (packet[0] === 0) return ok([]);
    const count = packet[0] === fileMark ? undefined : new Fields(packet).lengthInteger();
    if (count === undefined || count === 0 || count > columnsMax)
      return fail(notUnderstood('a reply'));
    this.#columnCount = count;
    return ok(undefined);
  }

  #takeColumn(packet: Uint8Array): Result<undefined, DatabaseFailure> {
    if (this.#columns.length === this.#columnCount) {
      this.#hasColumns = isEnd(packet);
      return this.#hasColumns ? ok(undefined) : fail(notUnderstood('a list of columns'));
    }
    const fields = new Fields(packet);
    // Catalog, schema, table, the table's own name, name.
    const name = [1, 2, 3, 4, 5].map(() => fields.text()).at(-1);
    if (typeof name !== 'string') return fail(notUnderstood('a column'));
    this.#columns = [...this.#columns, name.toLowerCase()];
    return ok(undefined);
  }

  #takeRow(packet: Uint8Array): Result<undefined, DatabaseFailure> {
    if (this.#rows.length === rowsMax)
      return fail({ reason: `the server sent more than ${rowsMax} rows` });
    const fields = new Fields(packet);
    const row = new Map<string, string | null>();
    for (const column of this.#columns) {
      const value = fields.text();
      if (value === undefined) return fail(notUnderstood('a row'));
      row.set(column, value);
    }
    this.#rows.push(row);
    return ok(undefined);
  }
}

const isEnd = (packet: Uint8Array) => packet[0] === endMark && packet.length <= endBytesMax;
