/**
 * The first lines of a connection: `\0AUTH EXTERNAL 30\r\n`, `OK 0123…\r\n`, `BEGIN\r\n`. The bus knows our uid from
 * the kernel; the number, our uid's digits in hexadecimal, must match it.
 * Source: D-Bus Specification, "Authentication Protocol".
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

const lineBytesMax = 16 * 1024;

export const firstLine = (uid: number): string =>
  `\0AUTH EXTERNAL ${Buffer.from(String(uid)).toString('hex')}\r\n`;

export const begin = 'BEGIN\r\n';

/**
 * Returns the bytes after the bus's answer; undefined if the answer is incomplete. The error is why the bus refuses us.
 */
export function afterAnswer(bytes: Buffer): Result<Buffer | undefined, Cause> {
  const end = bytes.indexOf('\r\n');
  if (end < 0)
    return bytes.length > lineBytesMax ? fail({ reason: 'its answer has no end' }) : ok(undefined);
  const line = bytes.subarray(0, end).toString('latin1');
  return /^OK\b/.test(line)
    ? ok(bytes.subarray(end + 2))
    : fail({ reason: 'it does not accept this account' });
}
