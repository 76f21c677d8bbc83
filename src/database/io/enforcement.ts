/** Holds tenants to their limits on database servers under one policy, look by look. */
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Driver } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { defaultDatabases } from '../../policy/databases/database-settings.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';
import type { AccountOwners } from '../core/accounts.ts';
import { decideEndings, noAttempts, type Attempts, type Ending } from '../core/backstops.ts';
import { connectionNumbers, isAnonymous, isOrdinary } from '../core/connection-numbers.ts';
import { databaseLimits, type DatabaseLimits } from '../core/database-limits.ts';
import type { Look, Session } from '../core/look.ts';
import type { UseTotals } from '../core/use/use-totals.ts';
import { accountOwners } from './account-owners.ts';
import { noteNumbers } from './connection-numbers.ts';
import type { DatabaseFaults } from './database-faults.ts';
import { Holder, type HeldTenant, type TenantUse } from './hold/holder.ts';
import type { SeenServer, SeenUse } from './seen-server.ts';

interface Seen {
  readonly server: SeenServer;
  readonly use: SeenUse | undefined;
}

interface Needs {
  readonly paths: Paths;
  readonly faults: DatabaseFaults;
  readonly totals: UseTotals;
  readonly warn: (text: string) => void;
}

/** The part of the limit above which looks come more often. */
const nearFraction = 0.8;

/** Stands for the tenant of accounts that belong to none. */
const nobody = -1;

export class Enforcement implements Disposable {
  readonly policy: Policy;
  readonly #needs: Needs;
  readonly #limits: ReadonlyMap<number, DatabaseLimits>;
  readonly #owners: AccountOwners;
  readonly #tenants: ReadonlyMap<number, Tenant>;
  readonly #driver: Driver;
  readonly #holder: Holder;
  /** Accounts by server that are never ended; undefined until they are known. */
  readonly #privileged = new Map<SeenServer, ReadonlySet<string>>();
  /** Servers with an account for everybody. A name there proves nothing, so nobody is held for it. */
  readonly #anonymous = new Set<SeenServer>();
  readonly #attempts = new Map<SeenServer, Attempts>();

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
    this.#driver = driver;
    this.#tenants = new Map(policy.tenants.map((each) => [each.uid, each]));
    const { paths, warn } = needs;
    this.#owners = accountOwners(paths, policy);
    const { hold: mode } = policy.databases ?? defaultDatabases;
    const onProblem = (problem: Parameters<typeof formatProblem>[0]) =>
      warn(formatProblem(problem));
    this.#holder = new Holder({ paths, driver, mode, onProblem });
  }

  [Symbol.dispose](): void {
    this.#holder[Symbol.dispose]();
    this.#driver[Symbol.dispose]();
  }

  /** Reads the accounts of each server, and sets their numbers of connections. */
  async refresh(servers: readonly SeenServer[]): Promise<void> {
    for (const server of servers) {
      const accounts = await server.watched.accounts();
      if (accounts === undefined) continue;
      this.#privileged.set(
        server,
        new Set(accounts.filter((each) => !isOrdinary(each)).map(({ account }) => account)),
      );
      this.#noteAnonymous(server, accounts.some(isAnonymous));
      const owners = this.#ownersOf(accounts.map(({ account }) => account));
      const limits = new Map(
        [...this.#limits].flatMap(([uid, { connections }]) =>
          connections === undefined ? [] : [[uid, connections] as const],
        ),
      );
      const { wanted } = connectionNumbers({ accounts, owners, limits });
      const target = { paths: this.#needs.paths, socket: server.watched.address.at };
      const changes = noteNumbers(target, accounts, wanted);
      if (!changes.ok) {
        this.#needs.warn(formatProblem(changes.error));
        continue;
      }
      for (const each of await server.watched.cap(changes.value)) this.#needs.warn(each);
    }
  }

  #noteAnonymous(server: SeenServer, is: boolean): void {
    if (!is) this.#anonymous.delete(server);
    else if (!this.#anonymous.has(server)) {
      this.#anonymous.add(server);
      const { at } = server.watched.address;
      this.#needs.warn(
        `${at}: nobody is held to limits there, since an account without a name lets everybody in under any name; remove it: DROP USER ''@localhost`,
      );
    }
  }

  /** Acts on a look at each server. Returns whether a tenant is near its share of the CPU. */
  async judge(seen: readonly Seen[]): Promise<boolean> {
    const known = seen.flatMap(({ server, use }) =>
      use === undefined || this.#anonymous.has(server) ? [] : [{ server, use }],
    );
    if (known.length === 0) {
      // Nobody waits for a server that does not answer.
      this.#holder.releaseAll();
      return false;
    }
    const sessions = this.#sessionsOf(known.map(({ use }) => use));
    const uses = this.#usesOf(
      known.map(({ use }) => use),
      sessions,
    );
    const sockets = seen.map(({ server }) => server.watched.address.at);
    const held = this.#holder.look(uses, sockets);
    this.#reportHeld(held, uses, sessions);
    for (const each of known) {
      await this.#end(each.server, each.use, held);
    }
    return uses.some(
      ({ usedMicroseconds = 0, elapsedMicroseconds, limitFraction }) =>
        usedMicroseconds > nearFraction * limitFraction * elapsedMicroseconds,
    );
  }

  #tenantOf(account: string): number | undefined {
    return this.#owners.ownerOf(account).tenant;
  }

  #ownersOf(accounts: readonly string[]): ReadonlyMap<string, number> {
    return new Map(
      accounts.flatMap((account) => {
        const tenant = this.#tenantOf(account);
        return tenant === undefined ? [] : [[account, tenant] as const];
      }),
    );
  }

  #sessionsOf(uses: readonly SeenUse[]): ReadonlyMap<number, readonly Session[]> {
    const owned = uses
      .flatMap(({ look }) => look.sessions)
      .map((session) => ({ session, tenant: this.#tenantOf(session.account) ?? nobody }));
    const grouped = Map.groupBy(owned, ({ tenant }) => tenant);
    return new Map(
      [...grouped].map(([tenant, rows]) => [tenant, rows.map(({ session }) => session)]),
    );
  }

  #usesOf(
    uses: readonly SeenUse[],
    sessions: ReadonlyMap<number, readonly Session[]>,
  ): readonly TenantUse[] {
    const used = new Map<number, number>();
    for (const [account, microseconds] of uses.flatMap((each) => [...each.used])) {
      const tenant = this.#tenantOf(account);
      if (tenant !== undefined) used.set(tenant, (used.get(tenant) ?? 0) + microseconds);
    }
    const connections = [...sessions].map(([uid, own]) => [uid, own.length] as const);
    this.#needs.totals.add(used, new Map(connections.filter(([uid]) => uid !== nobody)));
    // A server that counts nothing lists no account; one that counts lists ours.
    const isKnown = uses.every(({ look }) => look.accounts.length > 0);
    const elapsedMicroseconds = Math.max(...uses.map((each) => each.elapsedMicroseconds));
    return [...this.#limits].flatMap(([uid, { cpu }]) => {
      const tenant = this.#tenants.get(uid);
      if (cpu === undefined || tenant === undefined) return [];
      const running = (sessions.get(uid) ?? []).map((each) => each.runningCpuMicroseconds ?? 0);
      return [
        {
          tenant,
          usedMicroseconds: isKnown ? (used.get(uid) ?? 0) : undefined,
          elapsedMicroseconds,
          limitFraction: cpu,
          statementMicroseconds: Math.max(0, ...running),
        },
      ];
    });
  }

  #reportHeld(
    held: readonly HeldTenant[],
    uses: readonly TenantUse[],
    sessions: ReadonlyMap<number, readonly Session[]>,
  ): void {
    const isWatched = (this.policy.databases ?? defaultDatabases).hold === 'watch';
    const byUid = new Map(uses.map((each) => [each.tenant.uid, each]));
    for (const { uid, owes, rung, pausedMicroseconds: paused } of held) {
      const use = byUid.get(uid);
      // A tenant that has paid keeps its rung for a minute, and does nothing wrong.
      if (use === undefined || (!owes && paused === 0)) continue;
      const {
        usedMicroseconds: used = 0,
        elapsedMicroseconds: elapsed,
        limitFraction: limit,
      } = use;
      const rows = sessions.get(uid) ?? [];
      this.#needs.totals.paused(uid, isWatched ? 0 : paused);
      this.#needs.faults.held(uid, { used, elapsed, paused, limit, rung, isWatched }, rows);
    }
  }

  /** Ends statements and connections above a limit, once it is known which accounts have global privileges. */
  async #end(server: SeenServer, { look }: SeenUse, held: readonly HeldTenant[]): Promise<void> {
    const privileged = this.#privileged.get(server);
    if (privileged === undefined) return;
    const owners = this.#ownersOf(look.sessions.map(({ account }) => account));
    const limits = this.#limitsWith(held);
    const before = this.#attempts.get(server) ?? noAttempts;
    const { endings, attempts } = decideEndings(look, { owners, limits, privileged }, before);
    this.#attempts.set(server, attempts);
    const ids = new Set(endings.map(({ id }) => id));
    const all = [
      ...endings,
      ...this.#oldest(look, held, privileged).filter(({ id }) => !ids.has(id)),
    ];
    const ended = new Set(await server.watched.end(all));
    for (const each of all) if (ended.has(each.id)) this.#needs.faults.ended(each);
  }

  /** Returns the oldest statement of each tenant that nothing else holds. */
  #oldest(
    { sessions }: Look,
    held: readonly HeldTenant[],
    privileged: ReadonlySet<string>,
  ): readonly Ending[] {
    return held.flatMap(({ uid, killsOldest }) => {
      if (!killsOldest) return [];
      const [oldest] = sessions
        .filter(({ account, isRunning }) => isRunning && !privileged.has(account))
        .filter(({ account }) => this.#tenantOf(account) === uid)
        .toSorted((a, b) => (b.statementMilliseconds ?? 0) - (a.statementMilliseconds ?? 0));
      if (oldest === undefined) return [];
      const { id, account, statement, statementMilliseconds: found = 0 } = oldest;
      return [
        {
          id,
          account,
          statement,
          tenant: uid,
          what: 'statement',
          why: 'statement',
          found,
          allowed: 0,
        },
      ];
    });
  }

  /** A tenant that pausing does not hold keeps only a part of its connections. */
  #limitsWith(held: readonly HeldTenant[]): ReadonlyMap<number, DatabaseLimits> {
    const limits = new Map(this.#limits);
    for (const { uid, connectionsFraction } of held) {
      const own = limits.get(uid);
      if (connectionsFraction >= 1 || own?.connections === undefined) continue;
      const connections = Math.max(1, Math.floor(own.connections * connectionsFraction));
      limits.set(uid, { ...own, connections });
    }
    return limits;
  }
}
