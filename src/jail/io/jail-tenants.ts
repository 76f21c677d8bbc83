/** The tenants and sites of a policy that have a jail of their own. */
import { commandsOf, type Jail } from '../../policy/jail.ts';
import { jailOf, type Policy, type Site, type Tenant } from '../../policy/policy.ts';
import type { JailTenant } from './build/protocol.ts';

export function jailTenants({
  tenants,
  missing = [],
}: Pick<Policy, 'tenants'> & Partial<Pick<Policy, 'missing'>>): readonly JailTenant[] {
  // A replaced account's uid has another owner, whose jail is like anybody's.
  const homes = new Map(
    missing
      .filter(({ state }) => state !== 'replaced')
      .map(({ account }) => [account.uid, account.home]),
  );
  return tenants.flatMap((tenant) => {
    const { uid, account } = tenant;
    const jail = jailOf(tenant);
    const ofSites = tenant.sites.flatMap((site) => jailOfSite(tenant, site) ?? []);
    const all = jail === undefined ? ofSites : [{ uid, account, jail }, ...ofSites];
    const missingHome = homes.get(uid);
    return missingHome === undefined ? all : all.map((each) => ({ ...each, missingHome }));
  });
}

/**
 * Returns the jail of a site. The site's directory takes the place of the home in everything that
 * is built, so the rules for homes apply to it.
 */
export function jailOfSite(tenant: Tenant, site: Site): JailTenant | undefined {
  const jail = jailOf(site);
  if (jail?.home === undefined) return undefined;
  const { uid } = tenant;
  const account = { user: `${uid}`, uid, gid: uid, ...tenant.account, home: jail.home };
  return { uid, site: site.name, account, jail: { ...jail, commands: commandsOfSite(tenant) } };
}

/**
 * Returns the commands of a site: only sendmail, since cron jobs and passwords would take effect
 * outside the site.
 */
function commandsOfSite(tenant: Tenant): NonNullable<Jail['commands']> {
  const jail = jailOf(tenant);
  return jail === undefined || commandsOf(jail).includes('sendmail') ? ['sendmail'] : [];
}
