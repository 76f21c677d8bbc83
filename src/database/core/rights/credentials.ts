/**
 * A login in the format of MariaDB's option files. Only these two options count, in the section of clients.
 *
 *     [client]
 *     user = bulkhead-db
 *     password = "secret"
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export function parseCredentials(text: string): Result<Credentials, Cause> {
  const found = new Map<string, string>();
  let isClient = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[([^\]]*)\]\s*$/.exec(line)?.[1];
    if (section !== undefined) isClient = section.trim() === 'client';
    const [, key, value] = /^\s*(user|password)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (isClient && key !== undefined && value !== undefined)
      found.set(key, value.replace(/^(["'])(.*)\1$/, '$2'));
  }
  const [user, password] = [found.get('user'), found.get('password')];
  if (user === undefined || user === '' || password === undefined || password === '')
    return fail({
      reason: 'it has no user and password in a section [client]',
      hint: 'write the lines "[client]", "user = …" and "password = …"',
    });
  return ok({ user, password });
}
