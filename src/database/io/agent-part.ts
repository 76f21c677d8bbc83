/**
 * The agent's part: looks at the host's database servers, and holds tenants to their limits. Without a limit in the
 * policy no server is asked anything.
 *
 * A look a second, or ten while a tenant is near its share. Servers are asked by processes of their own, each in a loop
 * of its own, so one that hangs delays nothing here, and nobody stays paused for it.
 */
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Log } from '../../agent/log.ts';
import type { AgentPart, DatabaseUse, ReportedFault } from '../../agent/part.ts';
import type { Driver } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Member } from '../../usage/member.ts';
import { nearPauseMilliseconds } from '../core/pace/near-accounts.ts';
import { probeDriver } from '../../host/probe.ts';
import { UseTotals } from '../core/use/use-totals.ts';
import { DatabaseFaults } from './database-faults.ts';
import { QuotaMover } from './counts/quota-mover.ts';
import { Enforcement } from './enforcement.ts';
import { PeerWatch } from './peers/peer-watch.ts';
import type { SeenServer } from './seen-server.ts';
import { ServerLoops } from './worker/server-loops.ts';
import { findServers } from './watched-servers.ts';

const lookMilliseconds = 1000;
const soonMilliseconds = 100;
/** Servers come and go. */
const findMilliseconds = 60_000;

export const databasePart = (paths: Paths, log: Log): AgentPart => new DatabasePart(paths, log);

class DatabasePart implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #faults = new DatabaseFaults();
  readonly #totals = new UseTotals();
  readonly #peers: PeerWatch;
  readonly #quotas: QuotaMover;
  readonly #loops = new ServerLoops<SeenServer>((server) => this.#turn(server));
  #enforcement: Enforcement | undefined;
  #timer: NodeJS.Timeout | undefined;
  #logged = new Map<string, string>();

  constructor(paths: Paths, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#peers = new PeerWatch(paths);
    this.#quotas = new QuotaMover({ paths, warn: (text) => this.#once('quotas', text) });
  }

  adopt(policy: Policy): void {
    this.#leave();
    this.#quotas.follow(policy, () => this.#probe(policy));
    const enforcement = Enforcement.of(policy, {
      paths: this.#paths,
      faults: this.#faults,
      totals: this.#totals,
      count: (used, elapsed) => this.#quotas.add(used, elapsed),
      warn: (text) => this.#once('hold', text),
    });
    if (enforcement === undefined) {
      this.#totals.lose();
      this.#peers[Symbol.dispose]();
      return this.#loops.keep(new Map());
    }
    this.#enforcement = enforcement;
    this.#peers.adopt(policy);
    this.#find(enforcement);
  }

  databaseUse(uid: number): DatabaseUse | undefined {
    return this.#enforcement === undefined ? undefined : this.#totals.of(uid);
  }

  cpuLimitNow(member: Member): number | undefined {
    return this.#quotas.nowOf(member);
  }

  takeFaults(): readonly ReportedFault[] {
    return this.#faults.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave();
    this.#quotas[Symbol.dispose]();
    this.#loops[Symbol.dispose]();
    this.#peers[Symbol.dispose]();
  }

  /** Ends the current enforcement, which thaws everybody. */
  #leave(): void {
    clearTimeout(this.#timer);
    this.#enforcement?.[Symbol.dispose]();
    this.#enforcement = undefined;
  }

  #probe({ driver: name }: Policy): Driver | undefined {
    const driver = probeDriver(this.#paths, name);
    if (driver.ok) return driver.value;
    this.#once('quotas', formatProblem(driver.error));
    return undefined;
  }

  #find(enforcement: Enforcement): void {
    this.#timer = setTimeout(() => this.#find(enforcement), findMilliseconds).unref();
    const found = findServers(this.#paths, enforcement.policy);
    this.#once('servers', found.ok ? '' : formatProblem(found.error));
    if (!found.ok) {
      // Nothing is known of a server that Bulkhead has no rights in any more.
      this.#totals.lose();
      return this.#loops.keep(new Map());
    }
    this.#loops.keep(new Map(found.value.map(({ address, make }) => [address.at, make])));
  }

  /** Looks at a server, and acts on it. Returns when to come again. */
  async #turn(server: SeenServer): Promise<number> {
    this.#peers.watch(this.#loops.servers.flatMap(({ process }) => process ?? []));
    const near = this.#enforcement?.nearAccounts(server);
    const needs = this.#enforcement?.needsTransactions;
    const use = await server.look(near, (process) => this.#peers.read(process), needs);
    const enforcement = this.#enforcement;
    if (enforcement === undefined || !this.#loops.has(server)) return lookMilliseconds;
    this.#report(server);
    await enforcement.refresh(server);
    // Another policy may have come meanwhile.
    if (enforcement !== this.#enforcement || !this.#loops.has(server)) return soonMilliseconds;
    const isNear = await enforcement.judge(server, use, this.#loops.servers);
    return isNear ? nearPauseMilliseconds(use?.look.accounts.length ?? 0) : lookMilliseconds;
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
