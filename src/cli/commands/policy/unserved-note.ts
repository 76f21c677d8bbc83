/** A hint that no web server has a site of that name, so setting its limits is likely to be a mistake. */
import type { Command } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import type { Paths } from '../../../host/paths.ts';
import { findTenant, splitSiteName, type Policy } from '../../../policy/policy.ts';
import { capabilitiesOf, policyReaderOf, type Capability } from '../../capability.ts';
import type { PolicyOptions } from '../../shared/command.ts';
import { namesPolicy } from '../../shared/policy-option.ts';
import { pathsFor } from '../../shared/session.ts';

/**
 * Returns the note to print once the policy has been edited. There is none for a policy named with `--policy`, which
 * may be another host's.
 */
export async function noteIfUnserved(
  name: string,
  { policy: file }: PolicyOptions,
  command: Command,
): Promise<string | undefined> {
  if (!name.includes('/') || namesPolicy(command) || process.geteuid?.() !== 0) return undefined;
  const paths = pathsFor(command);
  const policy = paths && (await policyReaderOf(command)).load(file, paths).policy;
  if (paths === undefined || policy === undefined) return undefined;
  return unservedNote(name, policy, () => servedHere(capabilitiesOf(command), paths, policy));
}

type Served = ReadonlyMap<number, ReadonlySet<string>>;

/** Calls `served` only for a site that is not in the policy yet; it returns undefined if it is not known. */
export async function unservedNote(
  name: string,
  policy: Policy,
  served: () => Promise<Served | undefined>,
): Promise<string | undefined> {
  const [tenantName, site] = splitSiteName(name);
  const tenant = findTenant(policy, tenantName);
  if (site === undefined || tenant === undefined) return undefined;
  if (tenant.sites.some((each) => each.name === site)) return undefined;
  const all = await served();
  if (all === undefined || all.get(tenant.uid)?.has(site) === true) return undefined;
  const label = printable(`${tenantName}/${site}`);
  return `No web server serves "${label}" for that tenant, so the limits hold only for what "bulkhead exec --site" starts; "bulkhead web status" shows which sites there are`;
}

async function servedHere(
  capabilities: readonly Capability[],
  paths: Paths,
  policy: Policy,
): Promise<Served | undefined> {
  for (const { servedSites } of capabilities) {
    const served = servedSites && (await (await servedSites())(paths, policy));
    if (served !== undefined) return served;
  }
  return undefined;
}
