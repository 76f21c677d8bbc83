/** Holds tenants to their limits on database servers under one policy, look by look. */
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Driver } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { defaultDatabases } from '../../policy/databases/database-settings.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';
import { anybodysLogin, connectionNumbers, isAnonymous } from '../core/connection-numbers.ts';
import { resellerRung } from '../core/cpu-incidents.ts';
import { databaseLimits, type DatabaseLimits } from '../core/database-limits.ts';
import type { Session } from '../core/look.ts';
import { NearAccounts } from '../core/pace/near-accounts.ts';
import { NearTenants, type NearUse } from '../core/pace/near-tenants.ts';
import { ResellerShares } from '../core/reseller-shares.ts';
import type { UseTotals } from '../core/use/use-totals.ts';
import { accountOwners } from './account-owners.ts';
import { noteNumbers } from './connection-numbers.ts';
import type { DatabaseFaults } from './database-faults.ts';
import { Holder, type HeldTenant, type TenantUse } from './hold/holder.ts';
import type { SeenServer, SeenUse } from './seen-server.ts';
import { SessionEndings } from './hold/session-endings.ts';
import { nobody, TenantAccounts } from './tenant-accounts.ts';

/** A server with what a look at it has shown. */
interface Seen {
  readonly server: SeenServer;
  readonly use: SeenUse;
}

interface Needs {
  readonly paths: Paths;
  readonly faults: DatabaseFaults;
  readonly totals: UseTotals;
  /** Called with what a server has used for tenants, in microseconds by uid, and since when. */
  readonly count: (used: ReadonlyMap<number, number>, elapsedMicroseconds: number) => void;
  readonly warn: (text: string) => void;
}

/** Accounts come and go. */
const refreshMilliseconds = 60_000;
const unknownMilliseconds = 5_000;

/** Whether CPU time is known. A server that counts nothing lists no account; one that counts lists ours. */
const isCounted = ({ server, use }: Seen) =>
  server.shares.isBySocket || use.look.accounts.length > 0;

export class Enforcement implements Disposable {
  readonly policy: Policy;
  readonly #needs: Needs;
  readonly #limits: ReadonlyMap<number, DatabaseLimits>;
  /** Whether a tenant has a limit on transactions. */
  readonly needsTransactions: boolean;
  readonly #accounts: TenantAccounts;
  readonly #tenants: ReadonlyMap<number, Tenant>;
  readonly #driver: Driver;
  readonly #holder: Holder;
  /** Servers with an account for everybody. A name there proves nothing, so nobody is held for it. */
  readonly #anonymous = new Set<SeenServer>();
  readonly #endings = new Map<SeenServer, SessionEndings>();
  /** The latest look at each server that answers. */
  readonly #latest = new Map<SeenServer, Seen>();
  /** Use of each server by each tenant, by uid: 1 is one core. */
  readonly #rates = new Map<SeenServer, ReadonlyMap<number, number>>();
  readonly #nearTenants = new NearTenants();
  /** The accounts of those near their share, since all accounts were asked about. */
  readonly #near = new Map<SeenServer, NearAccounts>();
  readonly #resellers: ResellerShares;
  readonly #refreshAt = new Map<SeenServer, number>();
  /** The time at which each tenant was judged, by uid. */
  readonly #judgedAt = new Map<number, number>();

  /** Returns undefined if the policy has no limit on database servers, or the host's cgroups are unknown. */
  static of(policy: Policy, needs: Needs): Enforcement | undefined {
    const limits = databaseLimits(policy);
    if (limits.size === 0) return undefined;
    const driver = probeDriver(needs.paths, policy.driver);
    if (driver.ok) return new Enforcement(policy, needs, limits, driver.value);
    needs.warn(formatProblem(driver.error));
    return undefined;
  }

  private constructor(
    policy: Policy,
    needs: Needs,
    limits: ReadonlyMap<number, DatabaseLimits>,
    driver: Driver,
  ) {
    this.policy = policy;
    this.#needs = needs;
    this.#limits = limits;
    this.needsTransactions = [...limits.values()].some(
      ({ transactionMilliseconds: limit }) => limit !== undefined,
    );
    this.#resellers = new ResellerShares(policy);
    this.#driver = driver;
    this.#tenants = new Map(policy.tenants.map((each) => [each.uid, each]));
    const { paths, warn } = needs;
    this.#accounts = new TenantAccounts(accountOwners(paths, policy));
    const { hold: mode } = policy.databases ?? defaultDatabases;
    const onProblem = (problem: Parameters<typeof formatProblem>[0]) =>
      warn(formatProblem(problem));
    this.#holder = new Holder({ paths, driver, mode, onProblem });
  }

  [Symbol.dispose](): void {
    this.#holder[Symbol.dispose]();
    this.#driver[Symbol.dispose]();
  }

  /** Reads the accounts of a server, and sets their numbers of connections, if it is time for that. */
  async refresh(server: SeenServer): Promise<void> {
    if (performance.now() < (this.#refreshAt.get(server) ?? -Infinity)) return;
    const accounts = await server.watched.accounts();
    const pause = accounts === undefined ? unknownMilliseconds : refreshMilliseconds;
    this.#refreshAt.set(server, performance.now() + pause);
    if (accounts === undefined) return;
    this.#endingsOf(server).know(accounts);
    this.#noteAnonymous(server, accounts.some(isAnonymous));
    const owners = this.#accounts.ownersOf(server, accounts);
    const limits = new Map(
      [...this.#limits].flatMap(([uid, { connections }]) =>
        connections === undefined ? [] : [[uid, connections] as const],
      ),
    );
    const { wanted } = connectionNumbers({ accounts, owners, limits });
    const target = { paths: this.#needs.paths, socket: server.watched.address.at };
    const changes = noteNumbers(target, accounts, wanted);
    if (!changes.ok) return this.#needs.warn(formatProblem(changes.error));
    for (const each of await server.watched.cap(changes.value)) this.#needs.warn(each);
  }

  #endingsOf(server: SeenServer): SessionEndings {
    const found = this.#endings.get(server) ?? new SessionEndings(server.watched);
    this.#endings.set(server, found);
    return found;
  }

  #noteAnonymous(server: SeenServer, is: boolean): void {
    if (!is) this.#anonymous.delete(server);
    else if (!this.#anonymous.has(server)) {
      this.#anonymous.add(server);
      const { at } = server.watched.address;
      this.#needs.warn(`${at}: nobody is held to limits there, since ${anybodysLogin(at)}`);
    }
  }

  /**
   * Acts on a look at one of the servers; undefined if it shows nothing now. Returns whether a tenant is near its share of
   * the CPU.
   */
  async judge(
    server: SeenServer,
    use: SeenUse | undefined,
    servers: readonly SeenServer[],
  ): Promise<boolean> {
    for (const each of this.#latest.keys()) if (!servers.includes(each)) this.#forget(each);
    if (use === undefined || this.#anonymous.has(server)) {
      this.#forget(server);
      // Nobody waits for a server that does not answer.
      if (this.#latest.size === 0) this.#holder.releaseAll();
      this.#needs.totals.lose();
      return false;
    }
    const seen = { server, use };
    this.#latest.set(server, seen);
    const sessions = this.#accounts.sessionsOf([...this.#latest.values()]);
    const uses = this.#usesOf(seen, sessions, servers);
    const { isAll } = use;
    const sockets = servers.map(({ watched }) => watched.address.at);
    const paused = isAll ? this.#resellers.add(uses, performance.now() * 1000) : undefined;
    const held = this.#holder.look(uses, sockets, isAll, paused);
    const near = this.#noteNear(uses, held);
    if (isAll) this.#noteNearAccounts(seen, near);
    this.#reportHeld(held, uses, sessions);
    const owners = this.#accounts.ownersOf(server, use.look.sessions);
    const rules = { owners, limits: this.#limits, held };
    for (const each of await this.#endingsOf(server).end(use.look, rules))
      this.#needs.faults.ended(each);
    return near.size > 0;
  }

  /** Returns the accounts that are to be looked at now; undefined: all of them. */
  nearAccounts(server: SeenServer): readonly string[] | undefined {
    return this.#near.get(server)?.accounts(performance.now());
  }

  /** Returns the uids of the tenants near their share. */
  #noteNear(uses: readonly TenantUse[], held: readonly HeldTenant[]): ReadonlySet<number> {
    const debts = new Map(
      held.flatMap(({ uid, owes, balanceMicroseconds: balance }) =>
        owes ? [[uid, Math.max(0, -balance)] as const] : [],
      ),
    );
    const noted = uses.map(({ tenant: { uid }, rate = 0, limitFraction }): NearUse => {
      return { uid, rate, limitFraction, debtMicroseconds: debts.get(uid) };
    });
    this.#nearTenants.note(noted, performance.now() * 1000);
    return this.#nearTenants.uids;
  }

  #noteNearAccounts({ server, use }: Seen, uids: ReadonlySet<number>): void {
    const accounts = use.look.accounts.map(({ account }) => account);
    const tenantOf = (account: string) => this.#accounts.tenantOf(server, account);
    this.#near.set(server, new NearAccounts(accounts, uids, tenantOf, performance.now()));
  }

  #forget(server: SeenServer): void {
    this.#latest.delete(server);
    this.#rates.delete(server);
    this.#near.delete(server);
  }

  /** The time since the previous look at any server with this tenant, at most the time since the one at this server. */
  #elapsed(uid: number, sinceLook: number): number {
    const now = performance.now() * 1000;
    const elapsed = Math.min(now - (this.#judgedAt.get(uid) ?? -Infinity), sinceLook);
    this.#judgedAt.set(uid, now);
    return elapsed;
  }

  #usesOf(
    { server, use }: Seen,
    sessions: ReadonlyMap<number, readonly Session[]>,
    servers: readonly SeenServer[],
  ): readonly TenantUse[] {
    const { isAll } = use;
    const near = this.#near.get(server);
    const since = (uid: number) =>
      near?.has(uid) === true ? use.elapsedMicroseconds : use.allMicroseconds;
    const used = server.shares.divide(
      use,
      (account) => this.#accounts.tenantOf(server, account),
      (uid) => near?.has(uid) === true,
    );
    const perTime = [...used].map(([uid, each]) => [uid, each / since(uid)] as const);
    this.#rates.set(server, new Map([...(isAll ? [] : this.#ratesAt(server, near)), ...perTime]));
    const connections = [...sessions].map(([uid, own]) => [uid, own.length] as const);
    const latest = [...this.#latest.values()];
    const isWhole = latest.every((each) => each.use.look.hasMoreSessions !== true);
    const areSeen = servers.every((each) => this.#latest.has(each));
    this.#needs.totals.add(
      {
        used,
        connections: isWhole ? new Map(connections.filter(([uid]) => uid !== nobody)) : undefined,
        isCounted: latest.every(isCounted),
      },
      areSeen ? performance.now() / 1000 : undefined,
    );
    const isKnown = isCounted({ server, use });
    if (isKnown) this.#needs.count(used, use.allMicroseconds);
    const rates = [...this.#rates.values()];
    return [...this.#limits].flatMap(([uid, { cpu }]) => {
      const tenant = this.#tenants.get(uid);
      if (cpu === undefined || tenant === undefined) return [];
      if (!isAll && near?.has(uid) !== true) return [];
      const running = (sessions.get(uid) ?? []).map((each) => each.runningCpuMicroseconds ?? 0);
      return [
        {
          tenant,
          usedMicroseconds: isKnown ? (used.get(uid) ?? 0) : undefined,
          elapsedMicroseconds: this.#elapsed(uid, since(uid)),
          limitFraction: cpu,
          rate: rates.reduce((sum, each) => sum + (each.get(uid) ?? 0), 0),
          statementMicroseconds: Math.max(0, ...running),
        },
      ];
    });
  }

  /** The rates of those that were not looked at now. */
  #ratesAt(server: SeenServer, near: NearAccounts | undefined) {
    return [...(this.#rates.get(server) ?? [])].filter(([uid]) => near?.has(uid) !== true);
  }

  #reportHeld(
    held: readonly HeldTenant[],
    uses: readonly TenantUse[],
    sessions: ReadonlyMap<number, readonly Session[]>,
  ): void {
    const isWatched = (this.policy.databases ?? defaultDatabases).hold === 'watch';
    const byUid = new Map(uses.map((each) => [each.tenant.uid, each]));
    for (const { uid, owes, isForReseller, pausedMicroseconds: paused, ...on } of held) {
      const use = byUid.get(uid);
      // A tenant that has paid keeps its rung for a minute, and does nothing wrong.
      if (use === undefined || (!owes && paused === 0)) continue;
      const { usedMicroseconds: used = 0, elapsedMicroseconds: elapsed } = use;
      const limit = use.limitFraction;
      const rung = isForReseller ? resellerRung : on.rung;
      const rows = sessions.get(uid) ?? [];
      this.#needs.totals.paused(uid, isWatched ? 0 : paused);
      this.#needs.faults.held(uid, { used, elapsed, paused, limit, rung, isWatched }, rows);
    }
  }
}
