/**
 * Follows the processes of a PostgreSQL server from look to look. Each serves one connection of one account from its
 * beginning to its end, so all CPU time of a process is the account's. What a process uses between the latest sample and
 * its end is not seen: of a connection that begins and ends between two samples, nothing is.
 */
import type { AccountUse, Session } from '../look.ts';

/** A process as the server lists it now. */
export interface ListedBackend {
  readonly pid: number;
  /** Its begin: another process gets the same pid later. */
  readonly began: string;
  readonly account: string;
  /** The process whose statement it helps to compute. */
  readonly leader: number | undefined;
  /** The begin of its statement, which tells it from the next one. */
  readonly statementBegan: string;
  /** Whole microseconds: with fractions, a sum could seem to fall, as after a restart. */
  readonly cpuMicroseconds: number | undefined;
  /** The connection; undefined for other processes that work for an account. */
  readonly session: Omit<Session, 'id' | 'account' | 'threadCpuMicroseconds'> | undefined;
}

interface Known {
  readonly cpu: number | undefined;
  /** The begin of the statement that it was running; undefined if it ran none. */
  readonly statement: string | undefined;
  /** The statement's CPU time so far, including the processes that help it. */
  readonly statementCpu: number;
}

/** More accounts are forgotten while they have no process. */
const accountsMax = 10_000;

export class Backends {
  #known: ReadonlyMap<string, Known> | undefined;
  #wasWhole = true;
  /** The CPU time of each account since the first look. */
  readonly #totals = new Map<string, number>();

  /** Takes the list of a look, which may be a part, and returns the connections and the accounts' counters. */
  follow(
    listed: readonly ListedBackend[],
    isWhole = true,
  ): {
    readonly sessions: readonly Session[];
    readonly accounts: readonly AccountUse[];
  } {
    const used = new Map(listed.map((each) => [each.pid, this.#since(each)]));
    for (const { pid, account } of listed) add(this.#totals, account, used.get(pid));
    const helped = new Map<number, number>();
    for (const { pid, leader } of listed)
      if (leader !== undefined && leader !== pid) add(helped, leader, used.get(pid));
    const known = new Map(
      listed.map((each) => {
        const { pid } = each;
        return [keyOf(each), this.#knownOf(each, (used.get(pid) ?? 0) + (helped.get(pid) ?? 0))];
      }),
    );
    const running = new Map<string, number>();
    const sessions = listed.flatMap((each) => {
      const now = known.get(keyOf(each));
      const statementCpu = now?.statement === undefined ? undefined : now.statementCpu;
      add(running, each.account, statementCpu);
      return sessionOf(each, statementCpu);
    });
    this.#known = known;
    this.#wasWhole = isWhole;
    this.#forget(listed);
    return { sessions, accounts: this.#accounts(running) };
  }

  /** `used`: since the previous sample, with the processes that help it. */
  #knownOf(backend: ListedBackend, used: number): Known {
    const { cpuMicroseconds: cpu, statementBegan, session } = backend;
    const before = this.#known?.get(keyOf(backend));
    const isSame = before?.statement === statementBegan;
    const isCounted = session?.isRunning === true && cpu !== undefined;
    return {
      cpu: cpu ?? before?.cpu,
      statement: isCounted ? statementBegan : undefined,
      statementCpu: (isSame ? before.statementCpu : 0) + used,
    };
  }

  /** Returns what a process has used since the previous sample. What it used before the first one is not counted. */
  #since(backend: ListedBackend): number {
    const { cpuMicroseconds: cpu } = backend;
    if (cpu === undefined || this.#known === undefined) return 0;
    const before = this.#known.get(keyOf(backend));
    // It may have been left out of a list that was too long.
    if (before === undefined) return this.#wasWhole ? cpu : 0;
    return before.cpu === undefined ? 0 : Math.max(0, cpu - before.cpu);
  }

  /** Running statements are not in the counters, which get them when they end. */
  #accounts(running: ReadonlyMap<string, number>): readonly AccountUse[] {
    return [...this.#totals].map(([account, total]) => ({
      account,
      cpuMicroseconds: Math.max(0, total - (running.get(account) ?? 0)),
    }));
  }

  #forget(listed: readonly ListedBackend[]): void {
    if (this.#totals.size <= accountsMax) return;
    const present = new Set(listed.map(({ account }) => account));
    for (const account of this.#totals.keys())
      if (!present.has(account)) this.#totals.delete(account);
  }
}

const keyOf = ({ pid, began }: ListedBackend) => `${pid} ${began}`;

function sessionOf(
  { pid, account, cpuMicroseconds, session }: ListedBackend,
  statementCpu: number | undefined,
): readonly Session[] {
  if (session === undefined) return [];
  const own = { id: pid, account, ...session, threadCpuMicroseconds: cpuMicroseconds };
  return [statementCpu === undefined ? own : { ...own, runningCpuMicroseconds: statementCpu }];
}

function add<Key>(sums: Map<Key, number>, key: Key, more = 0): void {
  sums.set(key, (sums.get(key) ?? 0) + more);
}
