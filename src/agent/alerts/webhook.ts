/**
 * Posts JSON to a URL. Redirects are not followed: a message about tenants goes where the policy
 * says and nowhere else. What is answered is not read.
 */
import type { DeliveryProblem } from './alert.ts';

/** What the other side may ask for again: too early, too much, or its own trouble. */
const temporary = (status: number) => status >= 500 || [408, 425, 429].includes(status);

export async function post(
  url: string,
  body: string,
  signal: AbortSignal,
): Promise<DeliveryProblem | undefined> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'bulkhead' },
      body,
      redirect: 'manual',
      signal,
    });
    // Not awaited: the status is all that counts, and the other side may never end its answer.
    response.body?.cancel().catch(() => undefined);
    return problemOf(response.status);
  } catch (error) {
    return { reason: reasonOf(error), permanent: false };
  }
}

function problemOf(status: number): DeliveryProblem | undefined {
  if (status >= 200 && status < 300) return undefined;
  const redirect = status >= 300 && status < 400;
  return {
    reason: redirect
      ? `the answer is a redirect (${status}), which is not followed; write the URL that it leads to`
      : `the answer is ${status}`,
    permanent: !temporary(status),
  };
}

function reasonOf(error: unknown): string {
  const { name, message, cause } = error as Error & { readonly cause?: unknown };
  if (name === 'TimeoutError' || name === 'AbortError') return 'no answer came in time';
  const inner = cause as NodeJS.ErrnoException | undefined;
  return inner?.code ?? inner?.message ?? message;
}
