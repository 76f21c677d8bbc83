/** The tenants and sites of a policy that have a jail of their own. */
import { commandsOf, type Jail } from '../../policy/jail.ts';
import { jailOf, type Policy, type Site, type Tenant } from '../../policy/policy.ts';
import type { JailTenant } from './build/protocol.ts';

export const jailTenants = ({ tenants }: Pick<Policy, 'tenants'>): readonly JailTenant[] =>
  tenants.flatMap((tenant) => {
    const { uid, account } = tenant;
    const jail = jailOf(tenant);
    const ofSites = tenant.sites.flatMap((site) => jailOfSite(tenant, site) ?? []);
    return jail === undefined ? ofSites : [{ uid, account, jail }, ...ofSites];
  });

/** Its directory is its home in all that is built, so what is said of homes holds for it. */
export function jailOfSite(tenant: Tenant, site: Site): JailTenant | undefined {
  const jail = jailOf(site);
  if (jail?.home === undefined) return undefined;
  const { uid } = tenant;
  const account = { user: `${uid}`, uid, gid: uid, ...tenant.account, home: jail.home };
  return { uid, site: site.name, account, jail: { ...jail, commands: commandsOfSite(tenant) } };
}

/** A job of cron, or a password, would be of use outside of the site. */
function commandsOfSite(tenant: Tenant): NonNullable<Jail['commands']> {
  const jail = jailOf(tenant);
  return jail === undefined || commandsOf(jail).includes('sendmail') ? ['sendmail'] : [];
}
