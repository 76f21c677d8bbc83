/**
 * The session: a code from the address is exchanged for a token, which this page keeps in memory, and in a window of its
 * own also in sessionStorage, so that it outlasts a reload. A new tab asks its siblings for theirs.
 */
import { computed, signal } from '@preact/signals';
import type {
  ConsoleSessionResponse,
  ConsoleSessionStart,
} from '../../../agent/api/console-api.ts';
import { exchangeCode, request, type Failure } from './request.ts';

export type Session =
  | { readonly kind: 'starting' }
  /** `failure` is why a login failed. */
  | { readonly kind: 'none'; readonly hasEnded?: boolean; readonly failure?: Failure }
  | { readonly kind: 'open'; readonly token: string; readonly info: ConsoleSessionResponse };

export const session = signal<Session>({ kind: 'starting' });
export const sessionInfo = computed(() =>
  session.value.kind === 'open' ? session.value.info : undefined,
);

export const isFramed = window.top !== window.self;

const storageKey = 'bulkhead-token';
const tokenPattern = /^[A-Za-z0-9_-]{43}$/;
const codePattern = /^#code=([A-Za-z0-9_-]{43})(?:&to=(.*))?$/;
const siblingsMilliseconds = 300;
/** Tabs of the same origin. In a frame there are none: each has a login of its own. */
const siblings = isFramed ? undefined : new BroadcastChannel('bulkhead-console');

/**
 * A code that came while there is a session. Anybody can make a link with a code of their own account, so the person
 * decides.
 */
export const offeredCode = signal<string | undefined>(undefined);

/** Logins happen one after the other. */
let last: Promise<void> = Promise.resolve();

/** Starts with the token of before a reload, the code in the address, or the token of another tab. */
export function startSession(): Promise<void> {
  siblings?.addEventListener('message', ({ data }: MessageEvent<unknown>) => answerSibling(data));
  last = begin(takeCode());
  return last;
}

async function begin(code: string | undefined): Promise<void> {
  const token = storedToken() ?? (code === undefined ? await askSiblings() : undefined);
  if (token !== undefined) session.value = await openWith(token);
  if (code !== undefined) await takeOrOffer(code);
  else if (token === undefined) session.value = { kind: 'none' };
}

/** Takes a code that comes while the page is open, as when a link is opened in the same tab. */
export function takeNewCode(): void {
  const code = takeCode();
  if (code !== undefined) last = last.then(() => takeOrOffer(code));
}

async function takeOrOffer(code: string): Promise<void> {
  if (session.value.kind === 'open') offeredCode.value = code;
  else await logIn(code);
}

/** Replaces the session by the one that the code gives, or forgets the code. */
export function answerOffer(isTaken: boolean): void {
  const code = offeredCode.value;
  offeredCode.value = undefined;
  if (isTaken && code !== undefined) last = last.then(() => logIn(code));
}

/** Takes the code out of the address at once, so that it is in no history and no screenshot. */
function takeCode(): string | undefined {
  const [, code, to = '/'] = codePattern.exec(location.hash) ?? [];
  if (location.hash.startsWith('#code='))
    history.replaceState(null, '', `#${to.startsWith('/') ? to : '/'}`);
  return code;
}

async function logIn(code: string): Promise<void> {
  session.value = { kind: 'starting' };
  offeredCode.value = undefined;
  const started = await exchangeCode<ConsoleSessionStart>(code);
  if (!started.ok) {
    session.value = { kind: 'none', failure: started.error };
    return;
  }
  const { token, ...info } = started.value;
  store(token);
  session.value = { kind: 'open', token, info };
}

async function openWith(token: string): Promise<Session> {
  const asked = await request<ConsoleSessionResponse>(token, 'v1/console/session');
  if (asked.ok) {
    store(token);
    return { kind: 'open', token, info: asked.value };
  }
  if (asked.error.kind !== 'ended') return { kind: 'none', failure: asked.error };
  store(undefined);
  return { kind: 'none', hasEnded: true };
}

/** Forgets the session, if `token` is still its own: the agent does not know it any more. */
export function sessionHasEnded(token: string): void {
  if (session.value.kind !== 'open' || session.value.token !== token) return;
  store(undefined);
  session.value = { kind: 'none', hasEnded: true };
}

export async function logOut(): Promise<void> {
  if (session.value.kind !== 'open') return;
  const { token } = session.value;
  await request(token, 'v1/console/end', { method: 'POST' });
  store(undefined);
  session.value = { kind: 'none' };
}

function storedToken(): string | undefined {
  if (isFramed) return undefined;
  try {
    return validToken(sessionStorage.getItem(storageKey));
  } catch {
    return undefined;
  }
}

function store(token: string | undefined): void {
  if (isFramed) return;
  try {
    if (token === undefined) sessionStorage.removeItem(storageKey);
    else sessionStorage.setItem(storageKey, token);
  } catch {
    // Memory is enough until a reload.
  }
}

const validToken = (value: unknown) =>
  typeof value === 'string' && tokenPattern.test(value) ? value : undefined;

function answerSibling(data: unknown): void {
  const { value: now } = session;
  // New tabs do not take over a session that shows what somebody else sees.
  if (data === 'who has a session?' && now.kind === 'open' && now.info.user === now.info.by)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
    siblings?.postMessage({ token: now.token });
}

function askSiblings(): Promise<string | undefined> {
  if (siblings === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const done = (token: string | undefined) => {
      clearTimeout(timer);
      siblings.removeEventListener('message', heard);
      resolve(token);
    };
    const heard = ({ data }: MessageEvent<unknown>) => {
      const token = validToken((data as { readonly token?: unknown } | null)?.token);
      if (token !== undefined) done(token);
    };
    const timer = setTimeout(() => done(undefined), siblingsMilliseconds);
    siblings.addEventListener('message', heard);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
    siblings.postMessage('who has a session?');
  });
}
