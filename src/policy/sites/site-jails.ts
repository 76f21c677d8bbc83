/** Checks the jails of a tenant's sites, as far as the policy shows mistakes. */
import type { Diagnostics } from '../diagnostic.ts';
import type { SiteElement } from '../document.ts';
import { isAt } from '../jail.ts';
import type { Account } from '../policy.ts';

/**
 * The maximum length of a name: names of files and units have 255 characters, with a uid and more
 * in them.
 */
const nameMax = 200;

export function checkSiteJails(
  sites: readonly SiteElement[],
  account: Account | undefined,
  diagnostics: Diagnostics,
): void {
  for (const site of sites) {
    if (site.jail !== undefined && site.name.value.length > nameMax)
      diagnostics.error(
        site.name,
        `A site with a jail has a name of ${nameMax} characters at most`,
      );
    if (account !== undefined) refuseHomeInside(site, account, diagnostics);
  }
  warnOfNested(sites, diagnostics);
}

function refuseHomeInside(
  { jail }: SiteElement,
  { user, home }: Account,
  diagnostics: Diagnostics,
): void {
  if (jail?.home !== undefined && isAt(home, jail.home.value))
    diagnostics.error(
      jail.home,
      `"${jail.home.value}" is not the directory of a site alone: the home of ${user} is in it`,
    );
  const path = jail?.paths.find(({ at }) => isAt(home, at));
  if (jail !== undefined && path !== undefined)
    diagnostics.error(
      jail,
      `"${path.at}" cannot be in the jail of a site: the home of ${user} is in it`,
    );
}

function warnOfNested(sites: readonly SiteElement[], diagnostics: Diagnostics): void {
  const homes = sites.flatMap(({ name, jail }) =>
    jail?.home === undefined ? [] : [{ site: name.value, at: jail.home }],
  );
  const owners = new Map(homes.map(({ site, at }) => [at.value, site]));
  for (const { site, at } of homes) {
    const around = pathsTo(at.value).find((each) => (owners.get(each) ?? site) !== site);
    if (around === undefined) continue;
    const other = owners.get(around) ?? '';
    diagnostics.warn(at, `The site "${other}" sees this directory, too: its own is "${around}"`);
  }
}

/** Returns `/home`, `/home/alice`, `/home/alice/shop`. */
const pathsTo = (path: string): readonly string[] =>
  path
    .split('/')
    .flatMap((_, index, names) => (index === 0 ? [] : [names.slice(0, index + 1).join('/')]));
