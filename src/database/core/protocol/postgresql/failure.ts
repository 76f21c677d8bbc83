/** Errors of a PostgreSQL server. Source: PostgreSQL's manual, "Error and Notice Message Fields". */
import { printable } from '../../../../../packages/base/printable.ts';
import type { DatabaseFailure } from '../failure.ts';
import { MessageFields } from './fields.ts';

export interface ServerFailure {
  readonly failure: DatabaseFailure;
  /** Whether the server ends the connection with it. */
  readonly isFatal: boolean;
}

const messageMax = 300;
const fieldsMax = 30;

/** Reads an error, such as `VERROR`, `C42601`, `Msyntax error`. */
export function readServerFailure(content: Uint8Array): ServerFailure {
  const fields = new MessageFields(content);
  const found = new Map<string, string>();
  for (let count = 0; count < fieldsMax; count += 1) {
    const field = fields.zeroTerminated();
    if (field === undefined || field === '') break;
    found.set(field.slice(0, 1), field.slice(1));
  }
  const [code, text] = [found.get('C'), found.get('M')];
  if (code === undefined || text === undefined)
    return { failure: notPostgresql('an error'), isFatal: true };
  const message = printable(text.slice(0, messageMax));
  const shown = printable(code.slice(0, 5));
  // Servers before 9.6 have only the word in the server's language.
  const isFatal = ['FATAL', 'PANIC'].includes(found.get('V') ?? '');
  const reason = `the server answers "${message}" (error ${shown})`;
  return { failure: { code: shown, reason }, isFatal };
}

export const notPostgresql = (what: string): DatabaseFailure => ({
  reason: `the server sent ${what} that is not one of the PostgreSQL protocol`,
  hint: 'check that the socket is one of PostgreSQL',
});
