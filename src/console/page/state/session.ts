/**
 * The session: a code from the address is exchanged for a token, which this page keeps in memory, and in a window of its
 * own also in sessionStorage, so that it outlasts a reload. A new tab asks its siblings for theirs.
 */
import { computed, effect, signal } from '@preact/signals';
import type {
  ConsoleSessionResponse,
  ConsoleSessionStart,
} from '../../../agent/api/console-api.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { exchangeCode, request, type Failure } from './request.ts';
import { announceSession, answerSiblings, askSiblings, isFramed } from './connection/siblings.ts';

export type Session =
  | { readonly kind: 'starting' }
  /** `failure` is why a login failed. */
  | { readonly kind: 'none'; readonly hasEnded?: boolean; readonly failure?: Failure }
  | { readonly kind: 'open'; readonly token: string; readonly info: ConsoleSessionResponse };

export const session = signal<Session>({ kind: 'starting' });
export const sessionInfo = computed(() =>
  session.value.kind === 'open' ? session.value.info : undefined,
);

const storageKey = 'bulkhead-token';
const tokenPattern = /^[A-Za-z0-9_-]{43}$/;
const codePattern = /^#code=([A-Za-z0-9_-]{43})(?:&to=(.*))?$/;

/** A login that came while there is a session. */
export type Offer =
  | { readonly kind: 'login'; readonly start: ConsoleSessionStart }
  | { readonly kind: 'failed'; readonly failure: Failure };

/**
 * The login of a code that came while another account is logged in, here or in another tab. Anybody can make a link with a
 * code of their own account, so the person decides.
 */
export const offer = signal<Offer | undefined>(undefined);

/** Logins happen one after the other. */
let last: Promise<void> = Promise.resolve();

/** Starts with the token of before a reload or of another tab, and the code in the address. */
export function startSession(): Promise<void> {
  answerSiblings(tokenToShare);
  effect(() => (tokenToShare() === undefined ? undefined : announceSession()));
  last = begin(takeCode());
  return last;
}

/** New tabs do not take over a session that shows what somebody else sees. */
function tokenToShare(): string | undefined {
  const now = session.value;
  return now.kind === 'open' && now.info.user === now.info.by ? now.token : undefined;
}

async function begin(code: string | undefined): Promise<void> {
  const own = storedToken();
  const token = own ?? validToken(await askSiblings());
  const before: Session = token === undefined ? { kind: 'none' } : await openWith(token);
  if (code === undefined) session.value = before;
  else await logIn(code, before, own === undefined);
}

/** Takes a code that comes while the page is open, as when a link is opened in the same tab. */
export function takeNewCode(): void {
  const code = takeCode();
  if (code !== undefined) last = last.then(() => logIn(code));
}

/** Replaces the session by the one that was offered, or ends that. */
export function answerOffer(isTaken: boolean): void {
  const answered = offer.value;
  offer.value = undefined;
  if (answered?.kind !== 'login') return;
  const { start } = answered;
  if (isTaken) last = last.then(() => replaceBy(start));
  else void request(start.token, 'v1/console/end', { method: 'POST' });
}

/** Takes the code out of the address at once, so that it is in no history and no screenshot. */
function takeCode(): string | undefined {
  const [, code, to = '/'] = codePattern.exec(location.hash) ?? [];
  if (location.hash.startsWith('#code='))
    history.replaceState(null, '', `#${to.startsWith('/') ? to : '/'}`);
  return code;
}

/** Opens another session when everything that the one before showed has gone. */
async function replaceBy(start: ConsoleSessionStart): Promise<void> {
  session.value = { kind: 'starting' };
  await new Promise((drawn) => setTimeout(drawn));
  open(start);
}

/**
 * Exchanges a code. A session of another account, `before`, stays until somebody answers the offer. Nothing of it is shown
 * meanwhile if it was not shown yet.
 */
async function logIn(
  code: string,
  before: Session = session.value,
  isNewTab = false,
): Promise<void> {
  answerOffer(false);
  if (session.value.kind !== 'open') session.value = { kind: 'starting' };
  const started = await exchangeCode<ConsoleSessionStart>(code);
  const now = session.value.kind === 'starting' ? before : session.value;
  const another = offerOf(started, now, isNewTab);
  if (another !== undefined) {
    session.value = now;
    offer.value = another;
  } else if (started.ok) await replaceBy(started.value);
  else session.value = { kind: 'none', failure: started.error };
}

/**
 * Whoever is logged in asked for a login by the same account, too, perhaps to see what somebody else sees in a tab of its
 * own. A tab that has a session keeps it: panels make links for customers in the name of root, and customers pass them on.
 */
function offerOf(
  started: Result<ConsoleSessionStart, Failure>,
  now: Session,
  isNewTab: boolean,
): Offer | undefined {
  if (now.kind !== 'open') return undefined;
  if (!started.ok) return { kind: 'failed', failure: started.error };
  const { by, user } = started.value;
  const isExpected = now.info.by === by && (isNewTab || now.info.user === user);
  return isExpected ? undefined : { kind: 'login', start: started.value };
}

function open({ token, ...info }: ConsoleSessionStart): void {
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
