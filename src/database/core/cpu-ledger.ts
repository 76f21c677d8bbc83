/**
 * Collects the evidence on tenants that owe CPU time of a database server: for how long, how much of that they were paused,
 * and the statements that took most of it, as far as samples show them.
 */
import type { ReportedFault } from '../../agent/part.ts';
import type { HoldMode } from '../../policy/databases/databases-element.ts';
import { evidenceOf } from '../../usage/evidence.ts';
import type { CpuUse } from './bucket.ts';
import { databaseCpuEvidence, type DatabaseCpuEvidence } from './cpu-incidents.ts';
import { statementTotals } from './explain.ts';
import { rungs, type Rung } from './hold.ts';
import type { Session } from './look.ts';
import { withoutLiterals } from './statement-text.ts';

/** A tenant that owes, at one sample. */
export interface OwedUse extends CpuUse {
  readonly uid: number;
  readonly rung: Rung;
  readonly pausedMicroseconds: number;
  /** Its connections. */
  readonly sessions: readonly Session[];
}

interface Page {
  seconds: number;
  usedSeconds: number;
  pausedSeconds: number;
  limit: number;
  rung: Rung;
  statements: DatabaseCpuEvidence[];
}

/** The statement that a connection ran at the last sample, and the CPU time of its thread. */
interface Ran {
  readonly statement: string;
  readonly milliseconds: number;
  readonly cpuMicroseconds: number | undefined;
}

const statementsShown = 10;
/** More statements that differ are dropped, the cheapest first. */
const statementsMax = 200;

export class CpuLedger {
  readonly #mode: HoldMode;
  readonly #pages = new Map<number, Page>();
  #ran = new Map<string, Ran>();

  constructor(mode: HoldMode) {
    this.#mode = mode;
  }

  /** Notes all tenants that owe at one sample. `server` tells apart connections with the same id. */
  note(owed: readonly OwedUse[], server = ''): void {
    const ran = new Map<string, Ran>();
    for (const each of owed) {
      const page = this.#pageOf(each);
      page.seconds += Math.max(0, each.elapsedMicroseconds) / 1e6;
      page.usedSeconds += (each.usedMicroseconds ?? 0) / 1e6;
      page.pausedSeconds += each.pausedMicroseconds / 1e6;
      page.limit = each.limitFraction;
      if (rungs.indexOf(each.rung) > rungs.indexOf(page.rung)) page.rung = each.rung;
      for (const session of each.sessions) this.#noteStatement(page, session, server, ran);
      if (page.statements.length > statementsMax)
        page.statements = totalsOf(page.statements, statementsMax / 2);
    }
    for (const [key, each] of this.#ran) if (!key.startsWith(`${server}:`)) ran.set(key, each);
    this.#ran = ran;
  }

  #pageOf({ uid, limitFraction }: OwedUse): Page {
    let page = this.#pages.get(uid);
    if (page === undefined) {
      const none = { seconds: 0, usedSeconds: 0, pausedSeconds: 0, statements: [] };
      page = { ...none, limit: limitFraction, rung: 'none' };
      this.#pages.set(uid, page);
    }
    return page;
  }

  #noteStatement(page: Page, session: Session, server: string, ran: Map<string, Ran>): void {
    const key = `${server}:${session.id}`;
    const statement = session.isRunning ? withoutLiterals(session.statement) : '';
    const cpu = session.threadCpuMicroseconds;
    const milliseconds = session.statementMilliseconds ?? 0;
    ran.set(key, { statement, milliseconds, cpuMicroseconds: cpu });
    if (statement === '') return;
    const before = this.#ran.get(key);
    const isSame = before?.statement === statement && before.milliseconds <= milliseconds;
    // The thread of a connection that is seen first has done all kinds of work.
    const spent = cpu === undefined ? 0 : Math.max(0, cpu - (before?.cpuMicroseconds ?? cpu)) / 1e6;
    page.statements.push(statementOnly(statement, isSame ? 0 : 1, spent));
  }

  /** Returns the faults since the last call. `now` is in milliseconds since 1970. */
  take(now: number): readonly ReportedFault[] {
    const faults = [...this.#pages].map(([uid, page]): ReportedFault => {
      const [most = statementOnly('', 0, 0), ...others] = totalsOf(
        page.statements,
        statementsShown,
      );
      const { seconds, usedSeconds, pausedSeconds, limit, rung } = page;
      const first = { ...most, at: now, seconds, usedSeconds, pausedSeconds, limit, rung };
      const items = [first, ...others.map((each) => ({ ...each, at: now, limit }))];
      return {
        member: `u${uid}`,
        limit: 'database.cpu',
        severity: this.#mode === 'watch' ? 'observed' : 'throttled',
        count: 1,
        inferred: false,
        evidence: evidenceOf(databaseCpuEvidence, items),
      };
    });
    this.#pages.clear();
    return faults;
  }
}

const statementOnly = (statement: string, seen: number, seconds: number): DatabaseCpuEvidence => ({
  at: 0,
  seconds: 0,
  usedSeconds: 0,
  limit: 0,
  pausedSeconds: 0,
  rung: '',
  statement,
  seen,
  statementSeconds: seconds,
});

const totalsOf = (items: readonly DatabaseCpuEvidence[], max: number): DatabaseCpuEvidence[] =>
  statementTotals(items, max).map((each) => statementOnly(each.statement, each.seen, each.seconds));
