/**
 * Messages that programs of this host handed to Postfix, in the journal:
 *
 *     {"__CURSOR":"s=…","SYSLOG_IDENTIFIER":"postfix/pickup","MESSAGE":"4B2C1A: uid=1001 from=<alice>"}
 *
 * Anybody can write such a line to the journal, which notes the uid of the writer; only what Postfix's own account wrote
 * is asked for. Source: pickup(8), journalctl(1).
 */
import { parseObject } from '../../../packages/base/json.ts';

export interface JournalEntry {
  /** Its place, to go on from. */
  readonly cursor: string;
  /** The account that handed over a message; absent for other lines. */
  readonly uid?: number;
}

const pickup = /^[0-9A-Za-z]{1,64}: uid=(\d{1,10}) from=</;

export function journalEntry(line: string): JournalEntry | undefined {
  const { __CURSOR: cursor, SYSLOG_IDENTIFIER: by, MESSAGE: message } = parseObject(line) ?? {};
  if (typeof cursor !== 'string') return undefined;
  const isPickup = typeof by === 'string' && by.endsWith('/pickup');
  // A message that is not UTF-8 is a list of bytes; a sender can be that, and comes last.
  const text = Array.isArray(message) ? bytesOf(message) : message;
  const uid = isPickup && typeof text === 'string' ? pickup.exec(text)?.[1] : undefined;
  return { cursor, ...(uid === undefined ? {} : { uid: Number(uid) }) };
}

const bytesOf = (values: readonly unknown[]): string =>
  values
    .slice(0, 128)
    .map((each) => String.fromCharCode(Number(each) & 0xff))
    .join('');
