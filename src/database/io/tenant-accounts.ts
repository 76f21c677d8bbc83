/** The tenants of the accounts that the servers show. */
import { accountKindAt } from '../../policy/databases/postgresql-socket.ts';
import type { AccountOwners } from '../core/accounts.ts';
import type { Session } from '../core/look.ts';
import type { SeenServer, SeenUse } from './seen-server.ts';

/** Stands for the tenant of accounts that belong to none. */
export const nobody = -1;

export class TenantAccounts {
  readonly #owners: AccountOwners;

  constructor(owners: AccountOwners) {
    this.#owners = owners;
  }

  tenantOf({ watched }: SeenServer, account: string): number | undefined {
    return this.#owners.ownerOf(account, accountKindAt(watched.address.at)).tenant;
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
