/**
 * The common start of commands about one jail: the policy, and the tenant or site that has the
 * jail.
 */
import { Option, type Command } from 'commander';
import { pathsFor, loadPolicyOrReport, failWith } from '../../cli/shared/session.ts';
import { exitCodes, type ExitCode, type PolicyOptions } from '../../cli/shared/command.ts';
import type { Loaded } from '../../apply/load-policy.ts';
import type { Paths } from '../../host/paths.ts';
import { suggestion } from '../../policy/diagnostic.ts';
import { findTenant, type Chain, type Policy, type Tenant } from '../../policy/policy.ts';
import { keyOf, type JailKey } from '../core/jail-key.ts';
import type { JailTenant } from '../io/build/protocol.ts';
import { jailTenants } from '../io/jail-tenants.ts';

export interface Found {
  readonly paths: Paths;
  readonly loaded: Loaded & { readonly policy: Policy };
  readonly tenant: Tenant;
  /** The tenant, or the site that was asked for. */
  readonly of: JailTenant;
  readonly key: JailKey;
  /** The places where the policy sets the jail. */
  readonly chain: Chain;
}

export interface FindOptions extends PolicyOptions {
  readonly site?: string;
}

export const siteOption = (): Option =>
  new Option('--site <name>', 'the jail of this site of the tenant');

/** Returns the jail of a tenant or a site, or an exit status after the reason has been printed. */
export async function findJail(
  name: string,
  action: string,
  { policy: file, site: siteName }: FindOptions,
  command: Command,
): Promise<Found | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = await loadPolicyOrReport(command, file, paths);
  if (loaded === undefined) return exitCodes.failed;
  const { policy } = loaded;
  const tenant = findTenant(policy, name);
  const cannot = { action, object: name };
  if (tenant === undefined) {
    const names = policy.tenants.map((each) => each.account?.user ?? String(each.uid));
    const reason = `it is not a tenant of ${policy.file}${suggestion(name, names)}`;
    return failWith({ ...cannot, reason });
  }
  const site = tenant.sites.find((each) => each.name === siteName?.toLowerCase());
  if (siteName !== undefined && site === undefined) {
    const names = tenant.sites.map((each) => each.name);
    const reason = `it has no site "${siteName}" in ${policy.file}${suggestion(siteName, names)}`;
    return failWith({ ...cannot, reason });
  }
  const of = jailTenants({ tenants: [tenant] }).find((each) => each.site === site?.name);
  if (of === undefined) {
    const hint =
      site === undefined
        ? 'write for example <jail profile="web"/> in its element or in <defaults>'
        : 'write for example <jail profile="strict" home="/home/alice/shop"/> in the element of the site; without, it is in the jail of its tenant';
    return failWith({ ...cannot, reason: `${policy.file} gives it none`, hint });
  }
  return { paths, loaded, tenant, of, key: keyOf(of), chain: (site ?? tenant).chain };
}
