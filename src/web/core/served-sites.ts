/**
 * The names under which web servers serve what belongs to a tenant: those that a site of it can have. The configurations from
 * which they come may be the tenant's own, so a name is taken only where it is a host name, and counts for the owner of its
 * vhost alone.
 */
import { valueKinds } from '../../policy/value-kinds.ts';
import type { SiteView } from './overview.ts';

/** By the uid of the tenant; in lower case. */
export type ServedSites = ReadonlyMap<number, ReadonlySet<string>>;

/** Of one tenant; whoever has more names than that is not shown all of them. */
export const servedNamesMax = 5000;
/** What nginx serves to whoever names no site of it. */
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

/** Of a server that does not show all that it serves, what it had shown before is still known. */
export function withKnown(served: ServedSites, known: ServedSites): ServedSites {
  const both = new Map(known);
  for (const [uid, names] of served) {
    const all = [...names, ...(known.get(uid) ?? [])];
    both.set(uid, new Set(all.slice(0, servedNamesMax)));
  }
  return both;
}

/** Nothing for a wildcard, a pattern, or what is not a name at all. */
export function servedName(name: string): string | undefined {
  const parsed = valueKinds.site.parse(name);
  return parsed.ok && parsed.value !== anyName ? parsed.value : undefined;
}
