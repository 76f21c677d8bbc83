/** DatabasesElement + tenants → the database settings of a policy. */
import type { Diagnostics } from '../diagnostic.ts';
import type { Tenant } from '../policy.ts';
import type { DatabaseSettings, NamedDatabaseAccount } from './database-settings.ts';
import { nobodysAccount, type AccountElement, type DatabasesElement } from './databases-element.ts';

interface StatedTenants extends Pick<DatabaseSettings, 'stated'> {
  readonly tenants: readonly Tenant[];
}

/** Resolves the tenants of accounts. An account whose tenant is gone belongs to no tenant, and a warning says so. */
export function resolveDatabases(
  { rule, exempt, hold, servers, accounts, start, end }: DatabasesElement,
  { tenants, stated }: StatedTenants,
  diagnostics: Diagnostics,
): DatabaseSettings {
  if (rule === 'none' && accounts.every(({ tenant }) => tenant.value === nobodysAccount)) {
    const message =
      'With accounts="none", accounts belong to tenants only where <account> or the panel says so, and there is no <account> here';
    diagnostics.warn({ start, end }, message);
  }
  const uidOf = tenantFinder(tenants);
  return {
    rule,
    exempt: exempt.map(({ value }) => value),
    hold,
    servers: servers.map(({ server }) => server),
    accounts: accounts.map((each) => resolveAccount(each, uidOf, tenants, diagnostics)),
    stated,
  };
}

type FindTenant = (name: string) => number | undefined;

function tenantFinder(tenants: readonly Tenant[]): FindTenant {
  const byName = new Map(tenants.map(({ account, uid }) => [account?.user, uid]));
  const uids = new Set(tenants.map(({ uid }) => uid));
  return (name) =>
    byName.get(name) ??
    (/^\d{1,10}$/.test(name) && uids.has(Number(name)) ? Number(name) : undefined);
}

function resolveAccount(
  { name, tenant, start, end }: AccountElement,
  uidOf: FindTenant,
  tenants: readonly Tenant[],
  diagnostics: Diagnostics,
): NamedDatabaseAccount {
  const account = { name: name.value, at: { start, end } };
  if (tenant.value === nobodysAccount) return account;
  const uid = uidOf(tenant.value);
  if (uid !== undefined) return { ...account, tenant: uid };
  const names = tenants.flatMap((each) => each.account?.user ?? []);
  diagnostics.warn(
    tenant,
    `"${tenant.value}" is not a tenant, so the database account "${name.value}" belongs to nobody${diagnostics.hint(tenant.value, names)}`,
  );
  return account;
}
