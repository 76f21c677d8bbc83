/**
 * The one file at nginx's http level that holds every tenant to its entries.
 *
 *     map ":$server_name" $bulkhead_owner { default ""; ":shop.example" 1001; }
 *     map $bulkhead_rule $bulkhead_20 { volatile; default ""; 20s $bulkhead_script; 20a $bulkhead_owner; }
 *     limit_conn_zone $bulkhead_20 zone=bulkhead_20:65k;
 *     limit_conn bulkhead_20 20;
 *
 * limit_conn takes a constant, so there is a zone for each distinct number. A key that is empty is not counted, and
 * the key of all sites of a tenant is its uid. Maps that depend on the URI are volatile: without that, nginx remembers that a request
 * ran nothing when it is redirected to a front controller, and counts none.
 * Source: ngx_http_limit_conn_module, ngx_http_map_module, ngx_hash.c.
 */
import { ownFormat, ownPrefix } from '../nginx/own-words.ts';
import type { NginxHttp } from '../nginx/http-level.ts';
import type { Counted } from '../nginx/vhost.ts';
import { hashBytesBesides, type HeldSite } from './holding.ts';
import { nginxQuoted } from './nginx-quoted.ts';

export interface EntriesSettings {
  /** Where refusals are sent. */
  readonly socket: string;
  /** Where nginx logs requests if no directive says so; nothing where that is not known. */
  readonly defaultLog: string | undefined;
}

export const mark =
  '# Made by "bulkhead web entries enable" from the policy and the sites; "bulkhead web entries disable" removes it.\n';

export const retryAfterSeconds = 10;

const staticNames =
  'css|js|mjs|map|jpe?g|png|gif|webp|avif|svgz?|ico|bmp|tiff?|woff2?|ttf|otf|eot|mp4|webm|og[ga]|mp3|wav|flac|pdf|zip|gz|7z|rar';

/** In the order in which nginx reads them, which does not matter to it. */
export function nginxEntriesFile(
  held: readonly HeldSite[],
  http: NginxHttp,
  { socket, defaultLog }: EntriesSettings,
): string {
  const sites = held.toSorted(({ name: a }, { name: b }) => (a < b ? -1 : a > b ? 1 : 0));
  const numbers = [...new Set(sites.map(({ limit }) => limit))].sort((a, b) => a - b);
  const unlessGiven = (name: string, value: string) =>
    http.given.includes(name) ? [] : [`${name} ${value};`];
  return [
    mark.trimEnd(),
    '# Changes are lost: the agent writes it again when the policy or the sites have changed.',
    '',
    ...hashSizes(sites, http),
    ...siteMap('rule', sites, ({ limit, counts }) => `${limit}${letters[counts]}`),
    ...siteMap('number', sites, ({ limit }) => String(limit)),
    ...siteMap('owner', sites, ({ uid }) => String(uid)),
    ...counting,
    ...numbers.flatMap((number) => zoneOf(number, sites)),
    '',
    ...unlessGiven('limit_conn_status', '508'),
    ...unlessGiven('limit_conn_log_level', 'info'),
    '# A request that stops half-way keeps its slot until then.',
    ...unlessGiven('client_body_timeout', '10s'),
    ...unlessGiven('send_timeout', '10s'),
    ...unlessGiven('reset_timedout_connection', 'on'),
    '',
    ...refusals,
    `log_format ${ownFormat} escape=json '${refusalJson}';`,
    ...defaultLogLine(http, defaultLog),
    ...(http.accessLog === 'off' ? [] : [refusalLog(socket)]),
    '',
  ].join('\n');
}

/** Looked up once a request, since its server stays the same. The prefix keeps a name from being a word of nginx. */
const siteMap = (
  variable: string,
  sites: readonly HeldSite[],
  valueOf: (site: HeldSite) => string,
): readonly string[] => [
  `map ":$server_name" $${ownPrefix}${variable} {`,
  '  default "";',
  ...sites.map((each) => `  ${nginxQuoted(`:${each.name}`)} ${valueOf(each)};`),
  '}',
];

/** What of a site counts, in what is looked up for every request. */
const letters: Readonly<Record<Counted, string>> = { scripts: 's', pages: 'p', all: 'a' };

/** The URI changes with each internal redirect, so nothing that depends on it may be remembered. */
const counting: readonly string[] = [
  `map $uri $${ownPrefix}script { volatile; default ""; "~*\\.ph(?:p\\d*|tml|ar)(?:/|$)" $${ownPrefix}owner; }`,
  `map $uri $${ownPrefix}page { volatile; default $${ownPrefix}owner; "~*\\.(?:${staticNames})$" ""; }`,
];

/** Asked for when the answer is sent, and later: then it is known what has become of the request. */
const refusals: readonly string[] = [
  `map $${ownPrefix}owner $${ownPrefix}is_held { default 1; "" 0; }`,
  `map $limit_conn_status $${ownPrefix}refused { default 0; REJECTED $${ownPrefix}is_held; }`,
  `map $${ownPrefix}refused $${ownPrefix}header { default ""; 1 "entries $${ownPrefix}number/$${ownPrefix}number"; }`,
  `map $${ownPrefix}refused $${ownPrefix}retry { default ""; 1 ${retryAfterSeconds}; }`,
  `add_header X-Limit $${ownPrefix}header always;`,
  `add_header Retry-After $${ownPrefix}retry always;`,
];

export const limitHeader = `entries $${ownPrefix}number/$${ownPrefix}number`;

/** The owner first: what is cut is the end. */
const refusalJson = `{"owner":"$${ownPrefix}owner","site":"$server_name","client":"$remote_addr","method":"$request_method","url":"$request_uri"}`;

export const refusalLog = (socket: string): string =>
  `access_log syslog:server=unix:${socket},nohostname,tag=bulkhead ${ownFormat} if=$${ownPrefix}refused;`;

/** One directive at a level replaces the default, so it has to be given, too. */
const defaultLogLine = ({ accessLog }: NginxHttp, path: string | undefined) =>
  accessLog === 'default' && path !== undefined ? [`access_log ${nginxQuoted(path)};`] : [];

/** Of all zones, that of the site's number alone gets a key. */
function zoneOf(number: number, all: readonly HeldSite[]): readonly string[] {
  const zone = `${ownPrefix}${number}`;
  const owners = new Set(all.filter(({ limit }) => limit === number).map(({ uid }) => uid)).size;
  return [
    `map $${ownPrefix}rule $${zone} { volatile; default ""; ${number}s $${ownPrefix}script; ${number}p $${ownPrefix}page; ${number}a $${ownPrefix}owner; }`,
    `limit_conn_zone $${zone} zone=${zone}:${zoneKilobytes(owners)}k;`,
    limitLine(number),
  ];
}

export const limitLine = (number: number): string => `limit_conn ${ownPrefix}${number} ${number};`;

/** A state has 64 bytes, of which an owner has one at most. The smallest zone is eight pages. */
const zoneKilobytes = (owners: number) => 64 + Math.ceil((owners * 128) / 1024);

/** A bucket has to take the longest name. */
function hashSizes(sites: readonly HeldSite[], http: NginxHttp): readonly string[] {
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
