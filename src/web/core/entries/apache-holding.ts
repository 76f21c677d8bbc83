/** Which sites of Apache are held to the entries of their tenants, each vhost by itself, and why others are not. */
import type { SiteView } from '../overview.ts';
import type { EntryLimits, SiteEntries } from './holding.ts';

interface ApacheContext {
  readonly limits: EntryLimits;
  readonly hasModQos: boolean;
  /** Whether a vhost includes its tenant's file once this is written, though it does not do so now. */
  readonly willInclude?: (site: SiteView) => boolean;
}

export const apacheSiteEntries = (
  sites: readonly SiteView[],
  context: ApacheContext,
): readonly SiteEntries[] =>
  sites.filter(({ server }) => server === 'apache').map((site) => judge(site, context));

function judge(
  site: SiteView,
  { limits, hasModQos, willInclude = () => false }: ApacheContext,
): SiteEntries {
  const { owner, handlers, entriesOf } = site;
  const limit = owner === undefined ? undefined : limits.get(owner.uid);
  const runs = handlers.some(({ kind }) => kind !== 'other');
  if (owner === undefined || limit === undefined || !runs)
    return { site, state: 'nothing to count' };
  const not = (reason: string): SiteEntries => ({ site, limit, state: 'not held', reason });
  if (!hasModQos) return not(noModule);
  if (entriesOf !== undefined && entriesOf !== owner.uid)
    return not(`it includes the file of uid ${entriesOf}, who is not its owner`);
  if (entriesOf === undefined && !willInclude(site)) return not(notIncluded);
  return { site, limit, state: 'held' };
}

export const notIncluded = 'its vhost does not include the file of its tenant';
const noModule =
  'mod_qos is not loaded, so only the number of its workers limits it, and visitors wait; run: apt-get install libapache2-mod-qos';

/**
 * The tenant of each vhost by its ServerName, which is all that Apache's log says of it. A name that vhosts of several
 * tenants have is left out.
 */
export function apacheOwners(sites: readonly SiteEntries[]): Readonly<Record<string, number>> {
  const owners = new Map<string, number | undefined>();
  for (const { site } of sites) {
    const name = site.names[0]?.toLowerCase();
    const uid = site.owner?.uid;
    if (name === undefined) continue;
    owners.set(name, owners.has(name) && owners.get(name) !== uid ? undefined : uid);
  }
  return Object.fromEntries(
    [...owners].flatMap(([name, uid]) => (uid === undefined ? [] : [[name, uid]])),
  );
}
