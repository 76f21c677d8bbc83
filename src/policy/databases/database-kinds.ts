/** The kind of value that names an account of a database server, which may contain anything. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

/** Source: MariaDB's manual, "Identifier Names" and CREATE USER: 128 characters; PostgreSQL allows 63 bytes. */
export const accountBytesMax = 128;

export const databaseKinds = {
  databaseAccount: {
    form: 'the name of an account of a database server, at most 128 bytes',
    pattern: String.raw`[\s\S]{1,128}`,
    parse: parseAccount,
    format: (name: string) => name,
  },
} as const;

function parseAccount(value: string): Result<string, Cause> {
  if (value === '')
    return fail({
      reason: 'The name is empty: an account without a name lets everybody in',
      hint: 'write the name of one account',
    });
  const bytes = new TextEncoder().encode(value).length;
  return bytes <= accountBytesMax
    ? ok(value)
    : fail({ reason: `The name has ${bytes} bytes; the maximum is ${accountBytesMax}` });
}
