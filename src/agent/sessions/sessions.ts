/**
 * The sessions of the console. A session ends after its time, when it is ended, and when one of its accounts has
 * another owner. Bounded: the oldest goes for a new one.
 *
 * A session that was opened from another one ends with that one, and its use counts as use of both: the same person is
 * there. The other one's longest time still holds.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { evictedFor, lifetimeOf, type Login, type LoginBounds } from './login.ts';
import { hashOf, idOf, newSecret, SecretTable } from './secrets.ts';
import type { StoredSession } from './session-file.ts';

const bounds: LoginBounds = { ofPair: 8, inAll: 2048 };
/** Requests are only written to the file after this time; an agent that was killed ends sessions that much too early. */
const saveSeconds = 60;

export interface Session {
  /** The public name of the session. */
  readonly id: string;
  readonly login: Login;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The time that is left without a request; never more than what is left at most, or to the session it ends with. */
  readonly idleSecondsLeft: number;
  /** The time that is left at most. */
  readonly secondsLeft: number;
}

export interface SessionOptions {
  /** Seconds since the boot. */
  readonly clock: () => number;
  /** Whether the session's accounts are still those that logged in. */
  readonly isCurrent: (login: Login, startedAt: number) => boolean;
  readonly save: (sessions: readonly StoredSession[]) => Result<void, Problem>;
  readonly onProblem: (problem: Problem) => void;
}

interface Row extends Omit<StoredSession, 'seen'> {
  readonly id: string;
  seen: number;
}

export class Sessions {
  readonly #options: SessionOptions;
  readonly #rows = new SecretTable<Row>();
  #saved: number;
  /** Counts sessions that have ended: what is known of any session before may be out of date. */
  revision = 0;

  constructor(stored: readonly StoredSession[], options: SessionOptions) {
    this.#options = options;
    this.#saved = options.clock();
    for (const each of stored) {
      const hash = Buffer.from(each.hash, 'hex');
      this.#rows.set(hash, { ...each, id: idOf(hash) });
    }
  }

  /** Starts a session, and returns its token. */
  start(login: Login): { readonly token: string; readonly session: Session } {
    this.#endLate();
    const evicted = evictedFor(this.#rows.values, login, bounds);
    if (evicted !== undefined) this.#forget(evicted);
    const token = newSecret();
    const hash = hashOf(token);
    const now = this.#options.clock();
    const times = { startedAt: Date.now(), started: now, seen: now };
    const row = { id: idOf(hash), hash: hash.toString('hex'), login, ...times };
    this.#rows.set(hash, row);
    this.#save();
    return { token, session: this.#sessionOf(row) };
  }

  /** Finds the session of a token. `isActive`: the request shows that somebody is there, and starts its idle time anew. */
  find(token: string, isActive: boolean): Session | undefined {
    const row = this.#rows.find(token);
    if (row === undefined) return undefined;
    if (this.#isOver(row)) {
      this.#forgetAll([row]);
      return undefined;
    }
    const now = this.#options.clock();
    if (isActive)
      for (const used of [row, this.#outer(row)]) if (used !== undefined) used.seen = now;
    if (isActive && now - this.#saved >= saveSeconds) this.#save();
    return this.#sessionOf(row);
  }

  /** Returns the sessions that have not ended and that `wanted` accepts, the oldest first. Only their accounts are checked. */
  list(wanted: (session: Session) => boolean): readonly Session[] {
    this.#endLate();
    const found = this.#rows.values.filter((row) => wanted(this.#sessionOf(row)));
    this.#forgetAll(found.filter((row) => this.#isOver(row)));
    return found.filter(({ id }) => this.#rows.has(id)).map((row) => this.#sessionOf(row));
  }

  /** Whether there is a session with this id that has not ended. */
  has(id: string): boolean {
    const row = this.#rows.withId(id);
    return row !== undefined && !this.#isOver(row);
  }

  /** Ends sessions, and returns the number of those that had not ended. */
  end(ids: ReadonlySet<string>): number {
    const ended = this.#rows.values.filter(({ id }) => ids.has(id));
    this.#forgetAll(ended);
    return ended.length;
  }

  /** Writes the times of the last requests. */
  close(): void {
    if (this.#rows.values.length > 0) this.#save();
  }

  #endLate(): void {
    this.#forgetAll(this.#rows.values.filter((row) => this.#isLate(row)));
  }

  #isLate(row: Row): boolean {
    return this.#sessionOf(row).idleSecondsLeft <= 0;
  }

  #isOver(row: Row): boolean {
    return this.#isLate(row) || !this.#options.isCurrent(row.login, row.startedAt);
  }

  #forgetAll(rows: readonly Row[]): void {
    for (const row of rows) this.#forget(row);
    if (rows.length > 0) this.#save();
  }

  #forget({ id }: Row): void {
    this.#rows.delete(id);
    this.revision++;
  }

  /** Returns the session from which it was opened. */
  #outer({ login: { within } }: Row): Row | undefined {
    return within === undefined ? undefined : this.#rows.withId(within);
  }

  #sessionOf(row: Row): Session {
    const { id, login, startedAt, started, seen } = row;
    const now = this.#options.clock();
    const { idleSeconds, seconds } = lifetimeOf(login);
    const outer = this.#outer(row);
    const ofOuter = outer === undefined ? undefined : this.#sessionOf(outer);
    const secondsLeft = Math.min(started + seconds - now, ofOuter?.secondsLeft ?? Infinity);
    const idle = Math.min(seen + idleSeconds - now, ofOuter?.idleSecondsLeft ?? Infinity);
    return { id, login, startedAt, idleSecondsLeft: Math.min(idle, secondsLeft), secondsLeft };
  }

  #save(): void {
    this.#saved = this.#options.clock();
    const stored = this.#rows.values.map(({ id: _id, ...row }) => row);
    const saved = this.#options.save(stored);
    if (!saved.ok) this.#options.onProblem(saved.error);
  }
}
