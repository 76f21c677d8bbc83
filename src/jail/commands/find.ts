/** What commands about one jail start with: the policy, and the tenant. */
import type { Command } from 'commander';
import { pathsFor, loadPolicyOrReport, printError } from '../../cli/shared/session.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import type { Loaded } from '../../apply/load-policy.ts';
import type { Paths } from '../../host/paths.ts';
import { suggestion } from '../../policy/diagnostic.ts';
import type { Jail } from '../../policy/jail.ts';
import { findTenant, jailOf, type Policy, type Tenant } from '../../policy/policy.ts';

export interface Found {
  readonly paths: Paths;
  readonly loaded: Loaded & { readonly policy: Policy };
  readonly tenant: Tenant;
  readonly jail: Jail;
}

/** The jail of a tenant, or the exit status after the reason has been printed. */
export function findJail(
  name: string,
  action: string,
  file: string,
  command: Command,
): Found | ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = loadPolicyOrReport(file, paths);
  if (loaded === undefined) return exitCodes.failed;
  const { policy } = loaded;
  const tenant = findTenant(policy, name);
  const cannot = { action, object: name };
  if (tenant === undefined) {
    const names = policy.tenants.map((each) => each.account?.user ?? String(each.uid));
    const reason = `it is not a tenant of ${policy.file}${suggestion(name, names)}`;
    printError({ ...cannot, reason });
    return exitCodes.failed;
  }
  const jail = jailOf(tenant);
  if (jail === undefined) {
    const hint = 'write for example <jail profile="web"/> in its element or in <defaults>';
    printError({ ...cannot, reason: `${policy.file} gives it none`, hint });
    return exitCodes.failed;
  }
  return { paths, loaded, tenant, jail };
}
