/**
 * The agent's part: looks at the host's database servers, and holds tenants to their limits. Without a limit in the
 * policy no server is asked anything.
 *
 * A look a second, or ten while a tenant is near its share. Servers are asked by processes of their own, so one that
 * hangs delays nothing here, and nobody stays paused for it.
 */
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Log } from '../../agent/log.ts';
import type { AgentPart, DatabaseUse, ReportedFault } from '../../agent/part.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { UseTotals } from '../core/use/use-totals.ts';
import { DatabaseFaults } from './database-faults.ts';
import { Enforcement } from './enforcement.ts';
import type { SeenServer } from './seen-server.ts';
import { findServers } from './watched-servers.ts';

const lookMilliseconds = 1000;
const nearMilliseconds = 100;
/** Servers come and go, and so do their accounts. */
const refreshMilliseconds = 60_000;

export const databasePart = (paths: Paths, log: Log): AgentPart => new DatabasePart(paths, log);

class DatabasePart implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #faults = new DatabaseFaults();
  readonly #totals = new UseTotals();
  readonly #servers = new Map<string, SeenServer>();
  #enforcement: Enforcement | undefined;
  #refreshedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #logged = new Map<string, string>();
  /** Grows with each policy, so that a look that is under way does not go on for an older one. */
  #turn = 0;

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
  }

  adopt(policy: Policy): void {
    this.#leave();
    const enforcement = Enforcement.of(policy, {
      paths: this.#paths,
      faults: this.#faults,
      totals: this.#totals,
      warn: (text) => this.#once('hold', text),
    });
    if (enforcement === undefined) return this.#forget(new Set());
    this.#enforcement = enforcement;
    this.#refreshedAt = -Infinity;
    void this.#run(this.#turn);
  }

  databaseUse(uid: number): DatabaseUse | undefined {
    return this.#enforcement === undefined ? undefined : this.#totals.of(uid);
  }

  takeFaults(): readonly ReportedFault[] {
    return this.#faults.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave();
    this.#forget(new Set());
  }

  /** Ends the current enforcement, which thaws everybody. */
  #leave(): void {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#enforcement?.[Symbol.dispose]();
    this.#enforcement = undefined;
  }

  async #run(turn: number): Promise<void> {
    const enforcement = this.#enforcement;
    if (enforcement === undefined || turn !== this.#turn) return;
    const isRefresh = performance.now() - this.#refreshedAt > refreshMilliseconds;
    if (isRefresh) this.#refresh(enforcement);
    const seen = await Promise.all(
      [...this.#servers.values()].map(async (server) => ({ server, use: await server.look() })),
    );
    if (turn !== this.#turn) return;
    for (const { server } of seen) this.#report(server);
    if (isRefresh) await enforcement.refresh(seen.map(({ server }) => server));
    if (turn !== this.#turn) return;
    const isNear = await enforcement.judge(seen);
    if (turn !== this.#turn) return;
    const pause = isNear ? nearMilliseconds : lookMilliseconds;
    this.#timer = setTimeout(() => void this.#run(turn), pause).unref();
  }

  #refresh({ policy }: Enforcement): void {
    this.#refreshedAt = performance.now();
    const found = findServers(this.#paths, policy);
    if (!found.ok) return this.#once('servers', formatProblem(found.error));
    const sockets = new Set(found.value.map(({ address }) => address.at));
    this.#forget(sockets);
    for (const { address, make } of found.value)
      if (!this.#servers.has(address.at)) this.#servers.set(address.at, make());
  }

  #forget(except: ReadonlySet<string>): void {
    for (const [socket, server] of this.#servers) {
      if (except.has(socket)) continue;
      server[Symbol.dispose]();
      this.#servers.delete(socket);
    }
  }

  #report({ watched: { address, state } }: SeenServer): void {
    const text =
      state.kind === 'seen'
        ? state.missing.map((each) => `not seen: ${each}`).join('; ')
        : state.kind === 'starting'
          ? ''
          : `the database server does not answer, and nobody is paused for it: ${state.reason}`;
    this.#once(address.at, text === '' ? '' : `${address.at}: ${text}`);
  }

  /** Logs a text once while it lasts. */
  #once(about: string, text: string): void {
    if (this.#logged.get(about) === text) return;
    this.#logged.set(about, text);
    if (text !== '') this.#log.warn(text);
  }
}
