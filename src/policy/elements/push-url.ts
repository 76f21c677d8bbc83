/** `<history push>`: the address to which the history is pushed. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { valueKinds } from '../value-kinds.ts';

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Refuses what would send names of tenants in the open, or show a password to whoever may read the policy. */
export function parsePushUrl(text: string): Result<string, Cause> {
  const parsed = valueKinds.url.parse(text);
  if (!parsed.ok) return parsed;
  const { protocol, hostname, username, password, hash } = new URL(text);
  if (username !== '' || password !== '' || hash !== '')
    return fail({
      reason: `"${text}" has more than a host, a path and a query`,
      hint: 'put a token into /etc/bulkhead/history-token',
    });
  if (protocol !== 'https:' && !loopback.test(hostname))
    return fail({
      reason: `"${text}" is not https`,
      hint: 'http is for 127.0.0.1 and ::1 only, where something else adds TLS',
    });
  return ok(text);
}
