/**
 * Follows connections from look to look: whose each is, and the CPU time of the statement that it runs.
 *
 * The server shows the DEFINER while a routine runs, so the user at first sight counts. A connection that is first seen
 * within a routine keeps the DEFINER until it is seen idle. The server counts what a statement used when it ends; until
 * then, it is the CPU time of the thread since the last state before it began.
 */
import type { Session } from '../look.ts';

/** A connection as the server lists it now. */
export interface ListedSession extends Omit<Session, 'runningCpuMicroseconds'> {
  /** Whether it waits for its client's next statement. */
  readonly isIdle: boolean;
}

interface Known {
  readonly account: string;
  readonly threadCpu: number | undefined;
  /** The CPU time of the thread when its statement began, as far as it is known. */
  readonly begunAtCpu: number | undefined;
  /** How long its statement had run; undefined if none did. */
  readonly ageMilliseconds: number | undefined;
}

export class Sessions {
  #known: ReadonlyMap<number, Known> = new Map();
  #atMicroseconds = 0;
  #askedMicroseconds = 0;

  /**
   * Returns the CPU time of a connection's thread, if it has been idle since before the server was asked for the previous
   * list, so that it is the same still.
   */
  cpuOfIdle(id: number, idleMilliseconds: number, nowMicroseconds: number): number | undefined {
    const known = this.#known.get(id);
    const wasIdle = known !== undefined && known.ageMilliseconds === undefined;
    const isSince = idleMilliseconds * 1000 > nowMicroseconds - this.#askedMicroseconds;
    return wasIdle && isSince ? known.threadCpu : undefined;
  }

  /**
   * Takes the list of a look at `atMicroseconds`, and returns the connections with what is known of them. The server was
   * asked for it at `askedMicroseconds`.
   */
  follow(
    listed: readonly ListedSession[],
    atMicroseconds: number,
    askedMicroseconds = atMicroseconds,
  ): readonly Session[] {
    const sinceMilliseconds = (atMicroseconds - this.#atMicroseconds) / 1000;
    const known = new Map<number, Known>();
    const sessions = listed.map(({ isIdle, ...session }) => {
      const before = this.#known.get(session.id);
      const account = isIdle ? session.account : (before?.account ?? session.account);
      const begunAtCpu = begunAt(session, before, sinceMilliseconds);
      const { threadCpuMicroseconds: threadCpu, isRunning } = session;
      const ageMilliseconds = isRunning ? session.statementMilliseconds : undefined;
      known.set(session.id, { account, threadCpu, begunAtCpu, ageMilliseconds });
      const used = threadCpu === undefined ? undefined : threadCpu - (begunAtCpu ?? threadCpu);
      const isCounted = isRunning && used !== undefined;
      return { ...session, account, ...(isCounted ? { runningCpuMicroseconds: used } : {}) };
    });
    this.#known = known;
    this.#atMicroseconds = atMicroseconds;
    this.#askedMicroseconds = askedMicroseconds;
    return sessions;
  }
}

/**
 * Returns the CPU time of the thread when its statement began. A connection that is seen first has used nothing yet: the
 * thread may have served others before. The thread of an event is its own from the start.
 */
function begunAt(
  {
    isEvent,
    isRunning,
    statementMilliseconds,
    threadCpuMicroseconds,
  }: Omit<ListedSession, 'isIdle'>,
  before: Known | undefined,
  sinceMilliseconds: number,
): number | undefined {
  if (isEvent === true) return 0;
  if (before === undefined) return threadCpuMicroseconds;
  const age = before.ageMilliseconds;
  // Half of the interval, since a server that waits for a CPU answers late.
  const isSame =
    isRunning && age !== undefined && (statementMilliseconds ?? 0) > age + sinceMilliseconds / 2;
  return isSame ? before.begunAtCpu : before.threadCpu;
}
