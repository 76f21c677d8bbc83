/**
 * Divides a server's CPU time among accounts, by its states at two times: the counters of statements that have ended, plus what
 * running statements have used so far, plus what the counters leave out.
 *
 * A difference may be negative: what was taken for a running statement was another's, and the counters have the truth
 * when it ends. So errors cancel, and a minute is never negative.
 */
import type { AccountUse, Look, Session } from '../look.ts';

/** The CPU time between statements, which no counter of an account has: reading, writing, connecting. */
export interface AttributionConstants {
  readonly perConnectionMicroseconds: number;
  readonly perStatementMicroseconds: number;
}

/** Measured with MariaDB 11.8; `calibrate` corrects both. */
export const measuredConstants: AttributionConstants = {
  perConnectionMicroseconds: 80,
  perStatementMicroseconds: 6,
};

/** Returns the CPU time of each account between two states of one server, in microseconds. */
export function attribute(
  previous: Look,
  current: Look,
  constants: AttributionConstants,
): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  const add = (account: string, microseconds: number) => {
    if (microseconds !== 0) used.set(account, (used.get(account) ?? 0) + microseconds);
  };
  const before = new Map(previous.accounts.map((each) => [each.account, countersOf(each)]));
  for (const account of current.accounts) {
    const last = before.get(account.account);
    // It was left out of the list: what it has used before is not known.
    if (last === undefined && previous.hasMoreAccounts === true) continue;
    const since = sinceThen(last, countersOf(account));
    add(account.account, since.cpuMicroseconds + between(since, constants));
  }
  for (const session of previous.sessions)
    if (session.isEvent !== true) add(session.account, -(session.runningCpuMicroseconds ?? 0));
  const events = new Map(previous.sessions.map((each) => [each.id, each]));
  for (const session of current.sessions)
    add(session.account, (session.runningCpuMicroseconds ?? 0) - eventBefore(session, events));
  return used;
}

/** Returns the part of that which events have used. */
export function attributeEvents(previous: Look, current: Look): ReadonlyMap<string, number> {
  const events = (sessions: readonly Session[]) =>
    sessions.filter(({ isEvent }) => isEvent === true);
  const only = (look: Look): Look => ({ ...look, accounts: [], sessions: events(look.sessions) });
  return attribute(only(previous), only(current), none);
}

/** No counter takes over an event that has ended, so only what it used since then counts. */
const eventBefore = ({ id, isEvent }: Session, previous: ReadonlyMap<number, Session>) =>
  isEvent === true ? (previous.get(id)?.runningCpuMicroseconds ?? 0) : 0;

type Counters = Required<Omit<AccountUse, 'account'>>;

const nothing: Counters = { cpuMicroseconds: 0, connections: 0, statements: 0 };

/** Nothing is added for connections and statements that the server does not count. */
const countersOf = ({
  cpuMicroseconds,
  connections = 0,
  statements = 0,
}: AccountUse): Counters => ({
  cpuMicroseconds,
  connections,
  statements,
});

/** Counters only grow. If one is smaller, all have begun anew: a restart, FLUSH USER_STATISTICS, or DROP USER. */
function sinceThen(before: Counters | undefined, now: Counters): Counters {
  const isNew =
    before === undefined ||
    now.cpuMicroseconds < before.cpuMicroseconds ||
    now.connections < before.connections ||
    now.statements < before.statements;
  const base = isNew ? nothing : before;
  return {
    cpuMicroseconds: now.cpuMicroseconds - base.cpuMicroseconds,
    connections: now.connections - base.connections,
    statements: now.statements - base.statements,
  };
}

const between = (
  { connections, statements }: Counters,
  { perConnectionMicroseconds, perStatementMicroseconds }: AttributionConstants,
) => connections * perConnectionMicroseconds + statements * perStatementMicroseconds;

/** Both constants change by one factor, since connections and statements come together. */
const factorMin = 0.25;
const factorMax = 8;
/** The part of older figures that is kept each time, so that the last ones count most. */
const kept = 0.9;
/** Fewer connections and statements than this show nothing. */
const enoughMicroseconds = 20_000;

/** Learns the constants: the server's CPU time that no account and no background thread accounts for is theirs. */
export class Calibration {
  #unexplained = 0;
  #estimated = 0;
  /** The sums since the latest state that has the CPU time of background threads. */
  #since: Since | undefined;

  get constants(): AttributionConstants {
    const factor =
      this.#estimated < enoughMicroseconds
        ? 1
        : Math.min(factorMax, Math.max(factorMin, this.#unexplained / this.#estimated));
    return {
      perConnectionMicroseconds: measuredConstants.perConnectionMicroseconds * factor,
      perStatementMicroseconds: measuredConstants.perStatementMicroseconds * factor,
    };
  }

  /** Takes two states in order. Those between two with the CPU time of background threads are added up. */
  learn(previous: Look, current: Look): void {
    const before =
      this.#since?.last === previous ? this.#since : { ...nothingSince, first: previous };
    const counted = sum(attribute(previous, current, none));
    const estimated = sum(attribute(previous, current, measuredConstants)) - counted;
    const since = {
      first: before.first,
      last: current,
      counted: before.counted + counted,
      estimated: before.estimated + estimated,
    };
    const isWhole = current.backgroundCpuMicroseconds !== undefined;
    this.#since = isWhole ? { ...nothingSince, first: current, last: current } : since;
    if (isWhole) this.#add(since);
  }

  #add({ first, last, counted, estimated }: Since): void {
    const server = difference(first.serverCpuMicroseconds, last.serverCpuMicroseconds);
    const background = difference(first.backgroundCpuMicroseconds, last.backgroundCpuMicroseconds);
    if (server === undefined || background === undefined || server < background) return;
    this.#unexplained = this.#unexplained * kept + (server - background - counted);
    this.#estimated = this.#estimated * kept + estimated;
  }
}

/** The sums between two states, in microseconds. */
interface Since {
  readonly first: Look;
  readonly last: Look;
  readonly counted: number;
  readonly estimated: number;
}

const nothingSince = { counted: 0, estimated: 0 };

const none: AttributionConstants = { perConnectionMicroseconds: 0, perStatementMicroseconds: 0 };

const difference = (before: number | undefined, now: number | undefined) =>
  before === undefined || now === undefined ? undefined : now - before;

const sum = (used: ReadonlyMap<string, number>) =>
  [...used.values()].reduce((all, each) => all + each, 0);
