/** The reason why a server did not do what was asked. */
import type { Cause } from '../../../../packages/base/problem.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { Fields } from './fields.ts';

export interface DatabaseFailure extends Cause {
  /**
   * The server's own error code; absent if the server did not answer so. Sources: MariaDB Error Codes; PostgreSQL's
   * manual, "PostgreSQL Error Codes".
   */
  readonly code?: number | string;
  /** Whether the server did not answer in time. */
  readonly isLate?: true;
}

const failureMark = 0xff;
const messageMax = 300;
const decoder = new TextDecoder();

export const isFailure = (packet: Uint8Array): boolean => packet[0] === failureMark;

/** Reads a packet of the server that reports an error. Source: "ERR_Packet". */
export function readFailure(packet: Uint8Array): DatabaseFailure {
  const fields = new Fields(packet);
  fields.integer(1);
  const code = fields.integer(2);
  const text = decoder.decode(fields.rest() ?? new Uint8Array()).replace(/^#.{5}/, '');
  if (code === undefined) return notUnderstood('an error');
  const message = printable(text.slice(0, messageMax));
  return { code, reason: `the server answers "${message}" (error ${code})` };
}

export const notUnderstood = (what: string): DatabaseFailure => ({
  reason: `the server sent ${what} that is not one of the MariaDB protocol`,
  hint: 'check that the socket is one of MariaDB or MySQL',
});
