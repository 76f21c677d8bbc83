/**
 * Posts JSON to a URL. Redirects are not followed: a message about tenants goes only to the URL in
 * the policy. The body of the response is not read.
 */
import { fail, ok } from '../../../packages/base/result.ts';
import type { Delivery } from './alert.ts';

/** Statuses after which a retry may succeed: too early, too many requests, or a server error. */
const temporary = (status: number) => status >= 500 || [408, 425, 429].includes(status);

export async function post(url: string, body: string, signal: AbortSignal): Promise<Delivery> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'bulkhead' },
      body,
      redirect: 'manual',
      signal,
    });
    // Not awaited: only the status counts, and the other side may never finish its response.
    response.body?.cancel().catch(() => undefined);
    return deliveryOf(response.status);
  } catch (error) {
    return fail({ reason: reasonOf(error), permanent: false });
  }
}

function deliveryOf(status: number): Delivery {
  if (status >= 200 && status < 300) return ok(undefined);
  const redirect = status >= 300 && status < 400;
  return fail({
    reason: redirect
      ? `the response is a redirect (${status}), which is not followed; use the URL that it points to`
      : `the response is ${status}`,
    permanent: !temporary(status),
  });
}

function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error & { readonly cause?: unknown };
  if (name === 'TimeoutError' || name === 'AbortError') return 'no response in time';
  const inner = cause as NodeJS.ErrnoException | undefined;
  return inner?.code ?? inner?.message ?? message;
}
