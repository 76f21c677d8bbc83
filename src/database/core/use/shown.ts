/** One server as commands show it: what each account uses, and the server itself. */
import { attribute, measuredConstants } from './attribution.ts';
import type { Look } from '../look.ts';

export interface ShownAccount {
  readonly account: string;
  /** The part of a core that it used between the looks; undefined if it is unknown. */
  readonly cpuFraction: number | undefined;
  /** Undefined if the server has more connections than are listed. */
  readonly connections: number | undefined;
  readonly running: number | undefined;
  readonly statements: number | undefined;
}

export interface ShownUse {
  /** The account with the most CPU time first. */
  readonly accounts: readonly ShownAccount[];
  /** CPU time that no account caused, as a part of a core. */
  readonly serverItself: number | undefined;
}

/** `isCounting`: whether the server counts what each account uses. */
export function shownUse(previous: Look, current: Look, isCounting: boolean): ShownUse {
  const elapsed = Math.max(1, current.atMicroseconds - previous.atMicroseconds);
  const used = attribute(previous, current, measuredConstants);
  const counters = new Map(current.accounts.map((each) => [each.account, each]));
  const sessions = Map.groupBy(current.sessions, ({ account }) => account);
  const names = new Set([...counters.keys(), ...sessions.keys()]);
  const accounts = [...names].map((account): ShownAccount => {
    const own = current.hasMoreSessions === true ? undefined : (sessions.get(account) ?? []);
    const counted = counters.get(account);
    return {
      account,
      cpuFraction: isCounting ? Math.max(0, (used.get(account) ?? 0) / elapsed) : undefined,
      connections: own?.length,
      running: own?.filter(({ isRunning }) => isRunning).length,
      statements: counted?.statements,
    };
  });
  return {
    accounts: accounts.toSorted(
      (a, b) =>
        (b.cpuFraction ?? 0) - (a.cpuFraction ?? 0) ||
        (b.connections ?? 0) - (a.connections ?? 0) ||
        a.account.localeCompare(b.account),
    ),
    serverItself: isCounting ? itself(previous, current, used, elapsed) : undefined,
  };
}

function itself(
  { serverCpuMicroseconds: before }: Look,
  { serverCpuMicroseconds: now }: Look,
  used: ReadonlyMap<string, number>,
  elapsed: number,
): number | undefined {
  if (before === undefined || now === undefined) return undefined;
  const attributed = [...used.values()].reduce((sum, each) => sum + each, 0);
  return Math.max(0, (now - before - attributed) / elapsed);
}
