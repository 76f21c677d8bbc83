/** The tenants of the accounts that the servers show. */
import { accountKindAt } from '../../policy/databases/postgresql-socket.ts';
import type { AccountOwners } from '../core/accounts.ts';
import type { Session } from '../core/look.ts';
import type { SeenServer, SeenUse } from './seen-server.ts';

/** Stands for the tenant of accounts that belong to none. */
export const nobody = -1;

/** More are found out again; names come from tenants. */
const knownMax = 20_000;

export class TenantAccounts {
  readonly #owners: AccountOwners;
  /** The tenants that were found under this policy, by kind and account. */
  readonly #known = new Map<string, Map<string, number | undefined>>();

  constructor(owners: AccountOwners) {
    this.#owners = owners;
  }

  tenantOf({ watched }: SeenServer, account: string): number | undefined {
    const kind = accountKindAt(watched.address.at);
    const known = this.#known.get(kind) ?? new Map<string, number | undefined>();
    this.#known.set(kind, known);
    const tenant = known.get(account);
    if (tenant !== undefined || known.has(account)) return tenant;
    if (known.size >= knownMax) known.clear();
    const found = this.#owners.ownerOf(account, kind).tenant;
    known.set(account, found);
    return found;
  }

  /** Returns the tenants by account, without accounts of nobody. */
  ownersOf(
    server: SeenServer,
    accounts: readonly { readonly account: string }[],
  ): ReadonlyMap<string, number> {
    return new Map(
      accounts.flatMap(({ account }) => {
        const tenant = this.tenantOf(server, account);
        return tenant === undefined ? [] : [[account, tenant] as const];
      }),
    );
  }

  /** Returns the sessions of each tenant, and of `nobody`. */
  sessionsOf(
    seen: readonly { readonly server: SeenServer; readonly use: SeenUse }[],
  ): ReadonlyMap<number, readonly Session[]> {
    const owned = seen.flatMap(({ server, use }) =>
      use.look.sessions.map((session) => ({
        session,
        tenant: this.tenantOf(server, session.account) ?? nobody,
      })),
    );
    const grouped = Map.groupBy(owned, ({ tenant }) => tenant);
    return new Map(
      [...grouped].map(([tenant, rows]) => [tenant, rows.map(({ session }) => session)]),
    );
  }
}
