/**
 * The console's own requests: login codes, sessions and frames.
 *
 *     POST /v1/console/codes?as=alice&embed=1     over the control socket
 *     POST /v1/console/view?as=alice              from a session
 *     POST /v1/console/session                    Authorization: Code …
 *     GET  /v1/console/session
 *     GET  /v1/console/sessions
 *     POST /v1/console/end?id=ID… or ?all=1
 *     GET  /v1/console/logins?from=MS&to=MS&count=100
 *     GET  /v1/console/frame
 */
import { hostname } from 'node:os';
import { ok } from '../../../packages/base/result.ts';
import type {
  ConsoleCodeResponse,
  ConsoleEndResponse,
  ConsoleLoginsResponse,
  ConsoleSessionResponse,
  ConsoleSessionsResponse,
  ConsoleSessionStart,
} from '../api/console-api.ts';
import { isRoot, type Caller } from '../api/caller.ts';
import { fromStore, httpError, type HttpResult } from '../api/http-result.ts';
import type { AgentContext, RequestContext } from '../api/request-context.ts';
import { codeSeconds } from '../sessions/login-codes.ts';
import { rootAccount, type Account, type Login } from '../sessions/login.ts';
import type { Session } from '../sessions/sessions.ts';
import { resellerMember, tenantMember } from '../../usage/member.ts';
import { namedEntry } from './members.ts';

const login = 'log in to the console';
const week = 7 * 86_400_000;
const loginsMax = 1000;
/** A panel that runs as root makes codes for all of its customers. */
const unpaced = ok<Disposable | undefined>(undefined);

/** Only whom the kernel has identified gets a code for anything but a view: no process in a jail leaves it. */
export function answerNewCode(request: RequestContext): HttpResult<ConsoleCodeResponse> {
  const { agent, caller, query } = request;
  if (caller.kind !== 'uid') {
    const reason = 'only processes outside jails can, over the control socket';
    return httpError({ status: 403, action: login, reason });
  }
  const by = ownAccount(agent, caller.uid);
  if (!by.ok) return by;
  const name = query.text('as');
  const account = name === undefined ? by : namedAccount(request, name);
  if (!account.ok) return account;
  const isOther = account.value.uid !== by.value.uid;
  const readOnly = query.flag('embed') || (isOther && caller.uid !== 0);
  const turn =
    caller.uid === 0 ? unpaced : agent.loginPace.enter(caller.uid, false, performance.now());
  if (!turn.ok) return turn;
  using _turn = turn.value;
  const made: Login = { account: account.value, by: by.value, readOnly };
  const code = agent.console.makeCode(made);
  return ok({ code, user: account.value.user, readOnly, expiresInSeconds: codeSeconds });
}

/**
 * Makes a code for what another account sees: a session that changes nothing, and that ends with the one it was opened
 * from. Whoever gets hold of a session for a moment keeps nothing by it.
 */
export function answerNewView(request: RequestContext): HttpResult<ConsoleCodeResponse> {
  const { agent, caller, query } = request;
  const action = 'open the console as another account';
  const refuse = (status: 400 | 403, reason: string) => httpError({ status, action, reason });
  if (caller.kind !== 'session' || caller.readOnly || caller.byUid !== caller.uid)
    return refuse(403, 'only a session of your own that may change something can');
  const by = ownAccount(agent, caller.uid);
  if (!by.ok) return by;
  const account = namedAccount(request, query.text('as') ?? '');
  if (!account.ok) return account;
  if (account.value.uid === caller.uid) return refuse(400, 'it is your own');
  const turn =
    caller.uid === 0 ? unpaced : agent.loginPace.enter(caller.uid, false, performance.now());
  if (!turn.ok) return turn;
  using _turn = turn.value;
  const login = { account: account.value, by: by.value, readOnly: true, within: caller.id };
  const code = agent.console.makeCode(login);
  return ok({
    code,
    user: account.value.user,
    readOnly: true,
    expiresInSeconds: codeSeconds,
  });
}

function ownAccount(agent: AgentContext, uid: number): HttpResult<Account> {
  if (uid === 0) return ok(rootAccount);
  const { entries } = agent.memberIndex;
  const entry = entries.get(tenantMember(uid)) ?? entries.get(resellerMember(uid));
  const account = entry && agent.console.accountOf(uid, entry.account);
  if (account !== undefined) return ok(account);
  const reason = 'you are not a tenant of this host';
  return httpError({ status: 403, action: login, reason });
}

/**
 * Finds the account of a tenant or reseller that the caller may see. Root's own is none of these: a panel that asks as
 * root for a name that a customer has chosen must not get it.
 */
function namedAccount(request: RequestContext, name: string): HttpResult<Account> {
  const { agent } = request;
  const found = namedEntry(request, name);
  if (!found.ok) return found;
  const { who, account: user } = found.value;
  const account = who.kind === 'site' ? undefined : agent.console.accountOf(who.uid, user);
  if (account !== undefined) return ok(account);
  const reason = who.kind === 'site' ? 'it is a site' : 'it has no account';
  const hint = 'name a tenant or a reseller';
  return httpError({ status: 404, action: login, object: name, reason, hint });
}

/** Exchanges the code of an `Authorization` header for a session. */
export function answerStart(
  agent: AgentContext,
  authorization: string | undefined,
): HttpResult<ConsoleSessionStart> {
  const [, code] = /^Code (\S+)$/.exec(authorization ?? '') ?? [];
  const started = code === undefined ? undefined : agent.console.exchange(code);
  if (started !== undefined)
    return ok({ token: started.token, ...sessionRow(agent, started.session, true) });
  return httpError({
    status: 401,
    action: login,
    reason: 'the code is not valid: it was used, or is older than two minutes',
    hint: 'make another with "bulkhead console login"',
  });
}

export function answerSession({
  agent,
  caller,
}: RequestContext): HttpResult<ConsoleSessionResponse> {
  const [found] = agent.console.sessions((each) => isOwn(caller, each));
  if (found !== undefined) return ok(sessionRow(agent, found, true));
  const reason = 'only sessions of the console have one';
  return httpError({ status: 404, action: 'show the session', reason });
}

export const answerSessions = ({
  agent,
  caller,
}: RequestContext): HttpResult<ConsoleSessionsResponse> =>
  ok({
    sessions: agent.console
      .sessions((each) => seesSession(caller, each))
      .map((each) => sessionRow(agent, each, isOwn(caller, each))),
  });

/** Ends the named sessions, all that the caller sees, or its own. A session that changes nothing ends only itself. */
export function answerEnd({
  agent,
  caller,
  query,
}: RequestContext): HttpResult<ConsoleEndResponse> {
  const action = 'end sessions of the console';
  const ids = query.names('id');
  if (!ids.ok) return ids;
  const isAll = query.flag('all');
  if (caller.kind !== 'session' && !isAll && ids.value.length === 0)
    return httpError({ status: 400, action, reason: 'it needs either "id" or "all"' });
  const isAsked = ({ id }: Session) =>
    isAll || (ids.value.length === 0 ? isId(caller, id) : ids.value.includes(id));
  const mayEnd = (each: Session) =>
    caller.kind === 'session' && caller.readOnly ? isOwn(caller, each) : seesSession(caller, each);
  const asked = agent.console.sessions((each) => isAsked(each) && mayEnd(each));
  const missing = ids.value.find((id) => !asked.some((each) => each.id === id));
  if (missing !== undefined) {
    const reason = 'there is none with that id that you may end';
    return httpError({ status: 404, action, object: missing, reason });
  }
  return ok({
    ended: agent.console.end(new Set(asked.map(({ id }) => id)), nameOf(agent, caller)),
  });
}

/** Returns the name of the account that ends a session. */
function nameOf(agent: AgentContext, caller: Caller): string {
  if (caller.kind === 'token') return 'the token';
  return caller.uid === 0
    ? rootAccount.user
    : (accountName(agent, caller.uid) ?? `uid ${caller.uid}`);
}

const accountName = ({ console: access }: AgentContext, uid: number) =>
  access.accountOf(uid, undefined)?.user;

/** Returns who logged in to the console, for root only. */
export function answerLogins({
  agent,
  caller,
  query,
}: RequestContext): HttpResult<ConsoleLoginsResponse> {
  const action = 'show logins to the console';
  if (!isRoot(caller))
    return httpError({ status: 403, action, reason: 'only root may see who logged in' });
  const period = query.period(Date.now(), week);
  if (!period.ok) return period;
  const count = query.whole('count', 100, loginsMax);
  if (!count.ok) return count;
  const found = fromStore(agent.console.logins({ ...period.value, count: count.value }));
  return found.ok ? ok({ logins: found.value }) : found;
}

const isId = (caller: Caller, id: string) => caller.kind === 'session' && caller.id === id;
const isOwn = (caller: Caller, { id }: Session) => isId(caller, id);

/** Whether the caller may know of a session: root of all, others of those of their account and those they asked for. */
function seesSession(caller: Caller, session: Session): boolean {
  if (caller.kind === 'token' || caller.kind === 'jailed') return false;
  if (isRoot(caller)) return true;
  const { account, by } = session.login;
  if (caller.kind === 'session' && caller.byUid !== caller.uid && caller.byUid !== 0)
    return account.uid === caller.uid && by.uid === caller.byUid;
  return account.uid === caller.uid || by.uid === caller.uid;
}

function sessionRow(
  { fleet }: AgentContext,
  session: Session,
  isCurrent: boolean,
): ConsoleSessionResponse {
  const { id, login: of, startedAt, idleSecondsLeft, secondsLeft } = session;
  const { account, by, readOnly } = of;
  const isAdministrator = account.uid === 0;
  return {
    id,
    user: account.user,
    uid: account.uid,
    role: isAdministrator ? 'administrator' : 'member',
    by: by.user,
    readOnly,
    isCurrent,
    startedAt,
    idleSecondsLeft: Math.floor(idleSecondsLeft),
    secondsLeft: Math.floor(secondsLeft),
    ...(isCurrent && isAdministrator && { host: hostname(), ...hasFleet(fleet) }),
  };
}

const hasFleet = (fleet: AgentContext['fleet']): { readonly hasFleet?: true } =>
  fleet !== undefined && (fleet.status().state !== 'none' || fleet.isCentre())
    ? { hasFleet: true }
    : {};
