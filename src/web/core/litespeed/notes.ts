/** Notes about LiteSpeed's programs: their container, their cgroups, their requests, and the setting for each. */
import { siteBounds, type EntryLimits } from '../entries/limits.ts';
import { alike, siteLabel, type Note } from '../notes.ts';
import type { SiteView } from '../overview.ts';
import type { LiteSpeedDetails } from '../site.ts';

const isolated: Readonly<Record<LiteSpeedDetails['container'], string>> = {
  none: 'LiteSpeed starts its programs outside the tenant\'s jail and without a container; "bubbleWrap 2" or "namespace 2" in LiteSpeed\'s server configuration gives each a container of its own',
  bubblewrap: "LiteSpeed starts its programs in bubblewrap, not in the tenant's jail",
  namespace: "LiteSpeed starts its programs in a namespace container, not in the tenant's jail",
};

const cgroups =
  'LiteSpeed may put its programs into cgroups of its own, next to the tenant\'s; set "cgroups" to "Disabled" in its WebAdmin console: Server, Security, CGI Settings';

export function liteSpeedNotes(sites: readonly SiteView[], limits: EntryLimits): readonly Note[] {
  return alike(
    sites.flatMap((site) => {
      const { liteSpeed, owner } = site;
      if (liteSpeed === undefined || owner === undefined || liteSpeed.programs.length === 0)
        return [];
      const label = siteLabel(site);
      return [
        [isolated[liteSpeed.container], label],
        ...(liteSpeed.cgroups ? [[cgroups, label]] : []),
        ...requestNotes(site, liteSpeed, limits),
      ];
    }),
  );
}

/** LiteSpeed limits requests for each program; more of them wait, and are not refused. */
function requestNotes(
  site: SiteView,
  { programs }: LiteSpeedDetails,
  limits: EntryLimits,
): readonly (readonly string[])[] {
  const limit = Math.min(...siteBounds(site, limits).map((each) => each.limit));
  if (limit === Infinity) return [];
  return programs
    .filter(({ requests }) => requests === undefined || requests > limit)
    .map(({ name, requests, file, line }) => [
      `LiteSpeed does not count its entries: it passes ${requests ?? 'any number of'} requests at once to "${name}"; in its extProcessor, set "maxConns ${limit}" and "env PHP_LSAPI_CHILDREN=${limit}"`,
      `${file}:${line}`,
    ]);
}
