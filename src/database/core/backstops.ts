/**
 * The backstops of a tenant's database share: statements and transactions that take longer than allowed, and connections
 * above the tenant's number. Nothing here relies on a variable that a session may set.
 *
 *     statement     ended, and again with each look while it goes on; its connection after three attempts
 *     transaction   its connection is ended: an idle one has no statement that could be ended
 *     connections   the server refuses them (`connection-numbers.ts`); what is open above the number is ended, idle
 *                   ones first
 *     cpu           what pausing does not hold: idle connections, and the statements that use most
 */
import type { Look, Session } from './look.ts';
import { isServersOwn } from '../../policy/databases/servers-own.ts';
import type { DatabaseLimits } from './database-limits.ts';

export interface BackstopLimits extends Omit<DatabaseLimits, 'cpu'> {
  /** Idle connections are ended as long as more than this are open; it counts without `connections`. */
  readonly idleConnections?: number;
}

/** The sessions that may be ended, and when. */
export interface BackstopRules {
  /** The uid of each account's tenant; an account of nobody and an exempt one are absent. */
  readonly owners: ReadonlyMap<string, number>;
  /** Limits by the tenant's uid. */
  readonly limits: ReadonlyMap<number, BackstopLimits>;
  /** Accounts with global privileges, or whose privileges are not known. Their sessions are never ended. */
  readonly privileged: ReadonlySet<string>;
}

/** `request`: an administrator ends it, whatever it does. */
export type EndReason = 'statement' | 'transaction' | 'connections' | 'request';

/** A session to end, after the server has been asked again whether it still does what it is ended for. */
export interface Ending {
  readonly id: number;
  readonly account: string;
  /** The tenant's uid. */
  readonly tenant: number;
  readonly what: 'statement' | 'connection';
  readonly why: EndReason;
  /** The time it has taken, or its number of connections. */
  readonly found: number;
  /** The time or number that is allowed. */
  readonly allowed: number;
  readonly statement: string;
}

/** Attempts to end statements, by connection id; the next look continues with it. */
export type Attempts = ReadonlyMap<number, Attempt>;

interface Attempt {
  readonly times: number;
  /** A smaller time at the next look means another statement. */
  readonly statementMilliseconds: number;
}

export const noAttempts: Attempts = new Map();

/**
 * A procedure runs its next statement when one is ended, unless it handles the error; then its connection is what can
 * be ended.
 */
const attemptsMax = 3;
/** A look ends no more sessions, so that the worker's commands stay bounded. */
const endingsMax = 100;

interface Decision {
  readonly endings: readonly Ending[];
  readonly attempts: Attempts;
}

export function decideEndings(
  { sessions }: Pick<Look, 'sessions'>,
  rules: BackstopRules,
  attempts: Attempts,
): Decision {
  const endings: Ending[] = [];
  const next = new Map<number, Attempt>();
  const owned = sessions.flatMap((session) => {
    const tenant = tenantOf(session, rules);
    return tenant === undefined ? [] : [{ session, tenant }];
  });
  for (const [tenant, rows] of Map.groupBy(owned, (each) => each.tenant)) {
    const limits = rules.limits.get(tenant) ?? {};
    const own = rows.map(({ session }) => session);
    for (const session of own) {
      const ending = lateStatement(session, tenant, limits, attempts, next);
      const idle = ending ?? lateTransaction(session, tenant, limits);
      if (idle !== undefined) endings.push(idle);
    }
    const ended = new Set(endings.flatMap(({ id, what }) => (what === 'connection' ? [id] : [])));
    endings.push(
      ...excess(
        own.filter(({ id }) => !ended.has(id)),
        tenant,
        limits,
      ),
    );
  }
  return { endings: endings.slice(0, endingsMax), attempts: next };
}

function tenantOf({ account }: Session, { owners, privileged }: BackstopRules): number | undefined {
  return isServersOwn(account) || privileged.has(account) ? undefined : owners.get(account);
}

function lateStatement(
  session: Session,
  tenant: number,
  { statementMilliseconds: allowed }: BackstopLimits,
  attempts: Attempts,
  next: Map<number, Attempt>,
): Ending | undefined {
  const { id, isRunning, statementMilliseconds: found } = session;
  if (!isRunning || found === undefined || allowed === undefined || found <= allowed)
    return undefined;
  const before = attempts.get(id);
  const isSame = before !== undefined && found >= before.statementMilliseconds;
  const times = isSame ? before.times : 0;
  next.set(id, { times: times + 1, statementMilliseconds: found });
  const what = times < attemptsMax ? 'statement' : 'connection';
  return endingOf(session, tenant, { what, why: 'statement', found, allowed });
}

function lateTransaction(
  session: Session,
  tenant: number,
  { transactionMilliseconds: allowed }: BackstopLimits,
): Ending | undefined {
  const { isRunning, transactionMilliseconds: found } = session;
  return isRunning || found === undefined || allowed === undefined || found <= allowed
    ? undefined
    : endingOf(session, tenant, { what: 'connection', why: 'transaction', found, allowed });
}

/** Returns the connections above the tenant's number: idle ones first, and of each kind the newest first. */
function excess(
  sessions: readonly Session[],
  tenant: number,
  { connections, idleConnections }: BackstopLimits,
): readonly Ending[] {
  const allowed = connections ?? idleConnections;
  if (allowed === undefined || sessions.length <= allowed) return [];
  const found = sessions.length;
  return sessions
    .filter(({ isRunning }) => connections !== undefined || !isRunning)
    .toSorted((a, b) => Number(a.isRunning) - Number(b.isRunning) || b.id - a.id)
    .slice(0, found - allowed)
    .map((each) =>
      endingOf(each, tenant, { what: 'connection', why: 'connections', found, allowed }),
    );
}

/** Returns the statements of a tenant to end that have used most; those whose use is not known by their age. */
export const heaviest = (
  sessions: readonly Session[],
  tenant: number,
  privileged: ReadonlySet<string>,
  count: number,
): readonly Ending[] =>
  sessions
    .filter(({ account, isRunning }) => isRunning && !privileged.has(account))
    .filter(({ account }) => !isServersOwn(account))
    .toSorted((a, b) => cpuOf(b) - cpuOf(a) || ageOf(b) - ageOf(a))
    .slice(0, count)
    .map((each) =>
      endingOf(each, tenant, {
        what: 'statement',
        why: 'statement',
        found: ageOf(each),
        allowed: 0,
      }),
    );

const cpuOf = ({ runningCpuMicroseconds = 0 }: Session) => runningCpuMicroseconds;
const ageOf = ({ statementMilliseconds = 0 }: Session) => statementMilliseconds;

const endingOf = (
  { id, account, statement }: Session,
  tenant: number,
  rest: Pick<Ending, 'what' | 'why' | 'found' | 'allowed'>,
): Ending => ({ id, account, tenant, statement, ...rest });
