/**
 * The one file at nginx's http level that enforces every tenant's entries.
 *
 *     map ":$server_name" $bulkhead_owner { default ""; ":shop.example" 1001; }
 *     map ":$server_name" $bulkhead_counting { default ""; ":shop.example" 1; }
 *     map $uri $bulkhead_count_1 { volatile; default ""; "~\\.php$" 1; }
 *     map $bulkhead_counting $bulkhead_counts { volatile; default ""; all 1; 1 $bulkhead_count_1; }
 *     map ":$server_name" $bulkhead_tenant_rule { default ""; ":shop.example" 20; }
 *     map $limit_conn_status $bulkhead_tenant { default u$bulkhead_owner; REJECTED ""; }
 *     map $bulkhead_counts $bulkhead_tenant_key { volatile; default ""; 1 $bulkhead_tenant; }
 *     map $bulkhead_tenant_rule $bulkhead_20 { volatile; default ""; 20 $bulkhead_tenant_key; }
 *     limit_conn_zone $bulkhead_20 zone=bulkhead_20:128k;
 *     limit_conn bulkhead_20 20;
 *
 * Sites and resellers with limits have the same lines again. limit_conn takes a constant, so there is a zone for each
 * distinct number. An empty key is not counted, and the key of all sites of a tenant is the tenant. Maps that depend on
 * the URI are volatile. Otherwise nginx would remember, when a request is redirected to a front controller, that it ran
 * nothing, and would not count it.
 *
 * nginx does not report which zone has refused a request. But it asks zones in the order of the file, and evaluates no
 * key after the one that refused. It also remembers the first value of `$bulkhead_tenant`: the tenant if that was
 * evaluated as a key, nothing if it was evaluated after the refusal.
 * Source: ngx_http_limit_conn_module, ngx_http_map_module, ngx_http_variables.c, ngx_hash.c.
 */
import { ownFormat, ownPrefix } from '../nginx/own-words.ts';
import type { NginxHttp } from '../nginx/http-level.ts';
import type { Counting } from '../nginx/counting.ts';
import type { LocationKind } from '../nginx/location.ts';
import { hashBytesBesides, type EnforcedSite } from './enforcement.ts';
import { headerText, type Bound, type BoundKind } from './limits.ts';
import { nginxQuoted } from './nginx-quoted.ts';

export interface EntriesSettings {
  /** The socket to which refusals are sent. */
  readonly socket: string;
  /** The log that nginx uses if no directive names one; undefined if it is not known. */
  readonly defaultLog: string | undefined;
  /**
   * The nginx modules that are to wait for programs whose visitors have disconnected, so that those keep their entries.
   */
  readonly waitFor?: readonly string[];
}

export const mark =
  '# Made by "bulkhead web entries enable" from the policy and the sites; "bulkhead web entries disable" removes it.\n';

export const retryAfterSeconds = 10;

/** Endings of names that are static files of a site, and not pages. */
export const staticNames: readonly string[] =
  'css js mjs map jpg jpeg png gif webp avif svg svgz ico bmp tif tiff woff woff2 ttf otf eot mp4 webm ogg oga mp3 wav flac pdf zip gz 7z rar'.split(
    ' ',
  );

/** Returns the file. Lines are in the order in which nginx reads them, which matters only for limits. */
export function nginxEntriesFile(
  enforced: readonly EnforcedSite[],
  http: NginxHttp,
  { socket, defaultLog, waitFor = [] }: EntriesSettings,
): string {
  const sites = enforced.toSorted(({ name: a }, { name: b }) => (a < b ? -1 : a > b ? 1 : 0));
  const unlessGiven = (name: string, value: string) =>
    http.given.includes(name) ? [] : [`${name} ${value};`];
  return [
    mark.trimEnd(),
    '# Changes are lost: the agent writes it again when the policy or the sites have changed.',
    '',
    ...hashSizes(sites, http),
    ...siteMap('owner', sites, ({ uid }) => String(uid)),
    ...countingMaps(sites),
    ...kinds.flatMap((kind) => mapsOf(kind, sites)),
    ...numbersOf(sites).flatMap((each) => zoneOf(each, sites)),
    '',
    ...unlessGiven('limit_conn_status', '508'),
    ...unlessGiven('limit_conn_log_level', 'info'),
    '# A request that stops half-way keeps its slot until then.',
    ...unlessGiven('client_body_timeout', '10s'),
    ...unlessGiven('send_timeout', '10s'),
    ...unlessGiven('reset_timedout_connection', 'on'),
    ...waitFor.flatMap((each) => unlessGiven(`${each}_ignore_client_abort`, 'on')),
    '',
    ...refusals,
    `log_format ${ownFormat} escape=json '${refusalJson}';`,
    ...defaultLogLine(http, defaultLog),
    ...(http.accessLog === 'off' ? [] : [refusalLog(socket)]),
    '',
  ].join('\n');
}

/** The kinds of limits, in the order in which nginx checks them. */
const kinds: readonly BoundKind[] = ['site', 'tenant', 'reseller'];

/** One zone: a number of entries, of sites, tenants or resellers. */
interface Zone {
  readonly kind: BoundKind;
  readonly number: number;
}

const boundOf = ({ bounds }: EnforcedSite, wanted: BoundKind): Bound | undefined =>
  bounds.find(({ kind }) => kind === wanted);

export function numbersOf(sites: readonly EnforcedSite[]): readonly Zone[] {
  return kinds.flatMap((kind) => {
    const numbers = new Set(sites.flatMap((each) => boundOf(each, kind)?.limit ?? []));
    return [...numbers].sort((a, b) => a - b).map((number) => ({ kind, number }));
  });
}

/**
 * Maps sites to values. nginx looks it up once for each request, since the server stays the same. The prefix keeps a
 * name from being a word of nginx.
 */
const siteMap = (
  variable: string,
  sites: readonly EnforcedSite[],
  valueOf: (site: EnforcedSite) => string,
): readonly string[] => [
  `map ":$server_name" $${ownPrefix}${variable} {`,
  '  default "";',
  ...sites.map((each) => `  ${nginxQuoted(`:${each.name}`)} ${valueOf(each)};`),
  '}',
];

/** Maps each site to a word for what counts: the number of its rules, if it has some. */
function countingMaps(sites: readonly EnforcedSite[]): readonly string[] {
  const keyOf = ({ counts }: EnforcedSite) => JSON.stringify(counts);
  const countings = [...new Map(sites.map((each) => [keyOf(each), each.counts]))];
  const withRules = countings.filter(([, { rules }]) => rules.length > 0);
  const numbers = new Map(withRules.map(([key], index) => [key, index + 1]));
  const wordOf = (site: EnforcedSite) => numbers.get(keyOf(site)) ?? restWords[site.counts.rest];
  const byNumber = withRules.map((_, index) => `${index + 1} $${ownPrefix}count_${index + 1};`);
  return [
    ...siteMap('counting', sites, (each) => String(wordOf(each))),
    // It has no expressions, since those would replace the `$1` of a location.
    `map $uri $${ownPrefix}page { volatile; hostnames; default 1; ${staticNames.map((each) => `*.${each} "";`).join(' ')} }`,
    ...withRules.flatMap(([, counting], index) => rulesMap(index + 1, counting)),
    // The URI changes with each internal redirect, so nothing that depends on it may be remembered.
    `map $${ownPrefix}counting $${ownPrefix}counts { volatile; default ""; all 1; pages $${ownPrefix}page; ${byNumber.join(' ')} }`,
  ];
}

const restWords: Readonly<Record<LocationKind, string>> = {
  counts: 'all',
  pages: 'pages',
  free: 'none',
};
const verdictValues: Readonly<Record<LocationKind, string>> = {
  counts: '1',
  pages: `$${ownPrefix}page`,
  free: '""',
};

const rulesMap = (number: number, { rules, rest }: Counting): readonly string[] => [
  `map $uri $${ownPrefix}count_${number} {`,
  '  volatile;',
  `  default ${verdictValues[rest]};`,
  ...rules.map(({ pattern, caseless, verdict }) => {
    const key = nginxQuoted(`~${caseless ? '*' : ''}${pattern}`);
    return `  ${key} ${verdictValues[verdict]};`;
  }),
  '}',
];

/** Returns the key of each level for a request that counts. Levels that no site has are present, too, and empty. */
function mapsOf(kind: BoundKind, sites: readonly EnforcedSite[]): readonly string[] {
  const of = sites.filter((each) => boundOf(each, kind) !== undefined);
  const own = `${ownPrefix}${kind}`;
  const member = kind === 'tenant' ? `u$${ownPrefix}owner` : `$${own}_name`;
  const text = (each: EnforcedSite) => boundOf(each, kind);
  return [
    ...(kind === 'tenant' ? [] : siteMap(`${kind}_name`, of, (each) => text(each)?.member ?? '')),
    ...siteMap(`${kind}_rule`, of, (each) => String(text(each)?.limit)),
    `map $limit_conn_status $${own} { default ${member}; REJECTED ""; }`,
    `map $${ownPrefix}counts $${own}_key { volatile; default ""; 1 $${own}; }`,
  ];
}

/** Words after "The limit is for" on the page for refused requests. */
export const limitPhrase: Readonly<Record<BoundKind, string>> = {
  site: 'this site only',
  tenant: 'all sites of the same owner together',
  reseller: 'a group of sites, to which this one belongs',
};

/** Maps the refuser to a value for its kind. */
const byRefuser = (variable: string, valueOf: (kind: BoundKind) => string) =>
  `map $${ownPrefix}refuser $${ownPrefix}${variable} { default "${valueOf('tenant')}"; ~/ "${valueOf('site')}"; ~^r "${valueOf('reseller')}"; "" ""; }`;

/** Maps that are evaluated when the answer is sent, or later: the outcome of the request is known then. */
const refusals: readonly string[] = [
  `map $${ownPrefix}tenant $${ownPrefix}inner { default $${ownPrefix}tenant; "" $${ownPrefix}site; }`,
  `map $${ownPrefix}reseller $${ownPrefix}refuser { default $${ownPrefix}reseller; "" $${ownPrefix}inner; }`,
  byRefuser('limit', (kind) => headerText(kind, `$${ownPrefix}${kind}_rule`)),
  byRefuser('whose', (kind) => limitPhrase[kind]),
  `map $${ownPrefix}refuser $${ownPrefix}is_held { default 1; "" 0; }`,
  `map $limit_conn_status $${ownPrefix}refused { default 0; REJECTED $${ownPrefix}is_held; }`,
  `map $${ownPrefix}refused $${ownPrefix}header { default ""; 1 $${ownPrefix}limit; }`,
  `map $${ownPrefix}refused $${ownPrefix}retry { default ""; 1 ${retryAfterSeconds}; }`,
  `add_header X-Limit $${ownPrefix}header always;`,
  `add_header Retry-After $${ownPrefix}retry always;`,
];

export const limitHeader = `$${ownPrefix}limit`;
export const limitWhose = `$${ownPrefix}whose`;

/** The log format. The owner comes first, since a long line loses its end. */
const refusalJson = `{"owner":"$${ownPrefix}owner","of":"$${ownPrefix}refuser","site":"$server_name","client":"$remote_addr","method":"$request_method","url":"$request_uri"}`;

export const refusalLog = (socket: string): string =>
  `access_log syslog:server=unix:${socket},nohostname,tag=bulkhead ${ownFormat} if=$${ownPrefix}refused;`;

/** Repeats the default log: one directive at a level replaces it. */
const defaultLogLine = ({ accessLog }: NginxHttp, path: string | undefined) =>
  accessLog === 'default' && path !== undefined ? [`access_log ${nginxQuoted(path)};`] : [];

/** Returns the lines of a zone. Of all zones of a kind, only the one with the site's number gets a key. */
function zoneOf({ kind, number }: Zone, all: readonly EnforcedSite[]): readonly string[] {
  const zone = zoneName({ kind, number });
  const of = all.flatMap((each) => boundOf(each, kind) ?? []);
  const members = of.filter(({ limit }) => limit === number).map(({ member }) => member);
  const own = `${ownPrefix}${kind}`;
  return [
    `map $${own}_rule $${zone} { volatile; default ""; ${number} $${own}_key; }`,
    `limit_conn_zone $${zone} zone=${zone}:${zoneKilobytes(new Set(members))}k;`,
    limitLine({ kind, number }),
  ];
}

const zoneName = ({ kind, number }: Zone) =>
  `${ownPrefix}${kind === 'tenant' ? '' : `${kind}_`}${number}`;

export const limitLine = (zone: Zone): string => `limit_conn ${zoneName(zone)} ${zone.number};`;

/**
 * Returns the size of a zone. A member has at most one state. The smallest zone is eight pages. A reload keeps the
 * counts only of zones that keep their size, so sizes seldom change.
 */
const zoneKilobytes = (members: ReadonlySet<string>) => {
  const bytes = [...members].reduce((sum, each) => sum + 2 * stateBytes(each.length), 0);
  return powerOfTwo(64 + Math.ceil(bytes / 1024), 128);
};

/** Returns the bytes of a state: nginx allocates powers of two. */
const stateBytes = (keyBytes: number) => powerOfTwo(keyBytes + 42, 64);

/** Returns sizes of hash tables. A bucket has to take the longest name. */
function hashSizes(sites: readonly EnforcedSite[], http: NginxHttp): readonly string[] {
  const longest = Math.max(0, ...sites.map(({ name }) => Buffer.byteLength(name)));
  const bucket = powerOfTwo(longest + hashBytesBesides, 128);
  const lines = [
    ['map_hash_max_size', powerOfTwo(2 * sites.length, 2048)],
    ['map_hash_bucket_size', bucket],
  ] as const;
  return lines.flatMap(([name, size]) => (http.given.includes(name) ? [] : [`${name} ${size};`]));
}

const powerOfTwo = (wanted: number, min: number) =>
  2 ** Math.ceil(Math.log2(Math.max(wanted, min)));
