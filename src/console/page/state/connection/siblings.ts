/**
 * Tabs of the same origin, which give each other their session. A tab with a session has a lock, so a new tab knows at once
 * whether to wait for an answer. In a frame there are no siblings: each has a login of its own.
 */
export const isFramed = window.top !== window.self;

const channel = isFramed ? undefined : new BroadcastChannel('bulkhead-console');
const question = 'who has a session?';
const lockName = 'bulkhead-session';
/** A tab that the browser has stopped answers nothing. */
const heldMilliseconds = 5000;
/** The wait without locks, as over plain HTTP: nothing shows whether somebody will answer. */
const unknownMilliseconds = 1000;

/** Answers new tabs; `tokenNow` returns undefined if there is no session to give. */
export function answerSiblings(tokenNow: () => string | undefined): void {
  channel?.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    const token = tokenNow();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
    if (data === question && token !== undefined) channel.postMessage({ token });
  });
}

/** Shows new tabs that this one has a session, until the result is called. */
export function announceSession(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (!isFramed) void locks()?.request(lockName, { mode: 'shared' }, () => promise);
  return resolve;
}

/** Returns what a sibling answers; undefined if none has a session. */
export async function askSiblings(): Promise<unknown> {
  if (channel === undefined) return undefined;
  const state = await locks()?.query();
  const isHeld = state?.held?.some(({ name }) => name === lockName);
  if (isHeld === false) return undefined;
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const heard = ({ data }: MessageEvent<unknown>) => {
    const token = (data as { readonly token?: unknown } | null)?.token;
    if (token !== undefined) resolve(token);
  };
  const wait = isHeld === true ? heldMilliseconds : unknownMilliseconds;
  const timer = setTimeout(() => resolve(undefined), wait);
  channel.addEventListener('message', heard);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
  channel.postMessage(question);
  const token = await promise;
  clearTimeout(timer);
  channel.removeEventListener('message', heard);
  return token;
}

const locks = (): LockManager | undefined => (isSecureContext ? navigator.locks : undefined);
