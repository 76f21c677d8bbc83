/**
 * The names under which web servers serve what belongs to a tenant: those that its sites can have. The configurations
 * from which they come may be the tenant's own, so a name is taken only where it is a host name, and counts only for
 * the owner of its vhost.
 */
import { valueKinds } from '../../policy/value-kinds.ts';
import type { SiteView } from './overview.ts';

/** Names by the uid of the tenant, in lower case. */
export type ServedSites = ReadonlyMap<number, ReadonlySet<string>>;

/** The limit for one tenant. Further names are not shown. */
export const servedNamesMax = 5000;
/** The name of nginx's catch-all server. */
const anyName = '_';

export function servedSites(
  sites: readonly Pick<SiteView, 'owner' | 'names'>[],
): Map<number, Set<string>> {
  const served = new Map<number, Set<string>>();
  for (const { owner, names } of sites) {
    if (owner === undefined) continue;
    const own = served.get(owner.uid) ?? new Set();
    served.set(owner.uid, own);
    for (const name of names) {
      const known = servedName(name);
      if (known !== undefined && own.size < servedNamesMax) own.add(known);
    }
  }
  return served;
}

/** Adds the names that are known already, for a server that does not show all that it serves now. */
export function withKnown(served: ServedSites, known: ServedSites): ServedSites {
  const both = new Map(known);
  for (const [uid, names] of served) {
    const all = [...names, ...(known.get(uid) ?? [])];
    both.set(uid, new Set(all.slice(0, servedNamesMax)));
  }
  return both;
}

/** Returns nothing for a wildcard, a pattern, or anything that is not a name. */
export function servedName(name: string): string | undefined {
  const parsed = valueKinds.site.parse(name);
  return parsed.ok && parsed.value !== anyName ? parsed.value : undefined;
}
