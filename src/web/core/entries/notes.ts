/** Notes for an administrator about entries at nginx: facts, and what to do about them. */
import { alike, type Note } from '../notes.ts';
import { guessesStatics } from '../nginx/counting.ts';
import type { NginxHttp } from '../nginx/http-level.ts';
import type { ConfigLine } from '../directive.ts';
import { entryName, isEnforced, type Enforcement, type SiteEntries } from './enforcement.ts';
import { numbersOf } from './nginx-file.ts';
import { includeLine, lackingWithout, siteFileFor, type Lacking } from './nginx-site-files.ts';

/** The number of zones without a note: nginx asks each one for every request. */
const numbersMax = 32;

/** Returns notes. `siteFilePath` is the path of a file for vhosts, given its name. */
export function entriesNotes(
  { enforced, sites }: Enforcement,
  http: NginxHttp,
  siteFilePath: (name: string) => string,
): readonly Note[] {
  const limited = sites.filter(({ state }) => state !== 'nothing to count');
  return alike([
    ...limited.flatMap((each) => notEnforced(each)),
    ...limited.flatMap((each) => missing(each, http, siteFilePath)),
    ...limited.flatMap(unseen),
    ...limited.flatMap(guessed),
    ...httpNotes(http),
    ...(numbersOf(enforced).length > numbersMax
      ? [
          [
            `There are more than ${numbersMax} different numbers of entries, each of which costs time for every request`,
          ],
        ]
      : []),
  ]);
}

type Pair = readonly string[];

function notEnforced(each: SiteEntries): readonly Pair[] {
  if (each.state === 'enforced') return [];
  const what = isEnforced(each) ? 'The limit of the site is not enforced' : 'Not enforced';
  return [[`${what}: ${each.reason}`, entryName(each)]];
}

const purposes: Readonly<Record<Lacking, string>> = {
  limit: 'its limit',
  log: 'its faults',
  page: 'the page that visitors see',
};

function missing(
  { site }: SiteEntries,
  http: NginxHttp,
  siteFilePath: (name: string) => string,
): readonly Pair[] {
  if (site.vhost === undefined) return [];
  const lacking = lackingWithout(site.vhost, http);
  if (lacking.length === 0) return [];
  const line = includeLine(siteFilePath(siteFileFor(site.vhost, http)));
  const why = lacking.map((each) => purposes[each]).join(', ');
  return [
    [
      `Add the line "${line}" to the server, or enable with --edit-vhosts, for ${why}`,
      placeText(site),
    ],
  ];
}

function unseen({ site: { vhost } }: SiteEntries): readonly Pair[] {
  const { logLost } = vhost ?? {};
  if (logLost === undefined || logLost.canInclude) return [];
  const message = 'Refused requests are no faults, since an access_log keeps them from being seen';
  return [[message, placeText(logLost)]];
}

/** Notes requests that need no entry at this site, and what the site can do about it. */
function guessed(each: SiteEntries): readonly Pair[] {
  const { vhost } = each.site;
  if (!isEnforced(each) || vhost === undefined || !guessesStatics(vhost.counts)) return [];
  const message =
    'Not counted: names of static files (.css, .png, …) for which its program is asked where there is no such file. ' +
    String.raw`A "location ~* \.(css|js|png|…)$ { try_files $uri =404; }" of its own keeps them from it`;
  return [[message, entryName(each)]];
}

const placeText = ({ file, line }: ConfigLine) => `${file}:${line}`;

function httpNotes({ otherLimit, given }: NginxHttp): readonly Pair[] {
  return [
    ...(otherLimit === undefined
      ? []
      : [
          [
            'Requests that another limit_conn of the http level refuses can be shown as faults of tenants, too',
            placeText(otherLimit),
          ],
        ]),
    ...(given.includes('limit_conn_status')
      ? [
          [
            'Refused requests get the status of the limit_conn_status of the http level, not 508 with the page',
          ],
        ]
      : []),
  ];
}
