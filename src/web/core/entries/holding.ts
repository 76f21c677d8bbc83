/**
 * Which sites of nginx are held to the entries of their tenants, and why others are not.
 *
 * nginx knows a request's site by `$server_name`, the first name of the vhost: vhosts that share it are one site here,
 * as the one at port 80 and the one at port 443 are.
 */
import { unlimited } from '../../../base/quantity.ts';
import type { LimitValues } from '../../../limits/limit.ts';
import { siteName } from '../notes.ts';
import type { SiteView } from '../overview.ts';
import type { NginxHttp } from '../nginx/http-level.ts';
import type { Counted, NginxVhost } from '../nginx/vhost.ts';

/** By uid: how many requests of a tenant are served at once. Tenants without a limit are absent. */
export type EntryLimits = ReadonlyMap<number, number>;

export interface HeldSite {
  /** As `$server_name` has it, in lower case, as a map compares it. */
  readonly name: string;
  readonly uid: number;
  readonly limit: number;
  readonly counts: Counted;
}

/** What is known of one vhost. */
export interface SiteEntries {
  readonly site: SiteView;
  /** Of its owner; nothing where that is not limited. */
  readonly limit?: number;
  /** `nothing to count`: it runs nothing, or belongs to nobody with a limit. */
  readonly state: 'held' | 'not held' | 'nothing to count';
  /** Why it is not held, and what to do. */
  readonly reason?: string;
}

export interface Holding {
  readonly held: readonly HeldSite[];
  readonly sites: readonly SiteEntries[];
}

/** Source: ngx_http_limit_conn_module.c, "connection limit must be less 65536". */
const limitMax = 65_535;
const nameBytesMax = 1_000;

export function entryLimitsOf(
  tenants: readonly { readonly uid: number; readonly values: LimitValues }[],
): EntryLimits {
  return new Map(
    tenants.flatMap(({ uid, values }) => {
      const limit = values['entries.limit'];
      if (limit === undefined || limit === unlimited) return [];
      return [[uid, Math.min(limit, limitMax)] as const];
    }),
  );
}

export interface HoldingContext {
  readonly limits: EntryLimits;
  readonly http: NginxHttp;
  readonly hostName: string;
  /** Whether a vhost includes our file once this is written, though it does not do so now. */
  readonly willInclude?: (site: SiteView) => boolean;
}

type NginxSite = SiteView & { readonly vhost: NginxVhost };

const isNginx = (site: SiteView): site is NginxSite => site.vhost !== undefined;
const runs = ({ handlers }: SiteView) => handlers.some(({ kind }) => kind !== 'other');

export function holdingOf(sites: readonly SiteView[], context: HoldingContext): Holding {
  const { http, hostName } = context;
  const nameOf = ({ vhost: { serverName } }: NginxSite) =>
    lower(serverName === '$hostname' ? hostName : serverName);
  const groups = Map.groupBy(sites.filter(isNginx), nameOf);
  const held: HeldSite[] = [];
  const views: SiteEntries[] = [];
  for (const [name, group] of groups) {
    const judged = group.map((site) => judge(site, group, name, context));
    views.push(...judged);
    const first = judged.find(({ state }) => state === 'held');
    const { owner } = first?.site ?? {};
    if (first?.limit === undefined || owner === undefined) continue;
    held.push({ name, uid: owner.uid, limit: first.limit, counts: countsOf(group, http) });
  }
  return { held, sites: views };
}

/** As nginx does it: of A to Z alone. */
const lower = (text: string) => text.replace(/[A-Z]+/g, (each) => each.toLowerCase());

function judge(
  site: NginxSite,
  group: readonly NginxSite[],
  name: string,
  { limits, http, willInclude = () => false }: HoldingContext,
): SiteEntries {
  const limit = site.owner === undefined ? undefined : limits.get(site.owner.uid);
  if (limit === undefined || !runs(site)) return { site, state: 'nothing to count' };
  const reason =
    nameProblem(name, http) ?? sharedName(site, group) ?? lostLimit(site, willInclude(site));
  return reason === undefined
    ? { site, limit, state: 'held' }
    : { site, limit, state: 'not held', reason };
}

/** What the table of a map takes besides a name. Source: NGX_HASH_ELT_SIZE of ngx_hash.c. */
export const hashBytesBesides = 32;

function nameProblem(name: string, { mapBucketBytes }: NginxHttp): string | undefined {
  if (name.includes('\ufffd')) return 'its first name is not UTF-8; give it another one first';
  const bytes = Buffer.byteLength(name);
  if (bytes > nameBytesMax)
    return `its first name is longer than ${nameBytesMax} bytes; give it another one first`;
  return mapBucketBytes !== undefined && bytes + hashBytesBesides > mapBucketBytes
    ? `its first name is too long for the map_hash_bucket_size ${mapBucketBytes} of nginx; raise that`
    : undefined;
}

/** A site that runs nothing takes nobody's entries. */
function sharedName(site: NginxSite, group: readonly NginxSite[]): string | undefined {
  const other = group.find((each) => runs(each) && each.owner?.uid !== site.owner?.uid);
  if (other === undefined) return undefined;
  const whose = other.owner === undefined ? 'nobody' : other.owner.name;
  return `the vhost at ${other.file}:${other.line}, which belongs to ${whose}, has the same first name; give each one of its own`;
}

function lostLimit({ vhost: { limitLost } }: NginxSite, includes: boolean): string | undefined {
  if (limitLost === undefined || (includes && limitLost.canInclude)) return undefined;
  const { file, line, canInclude } = limitLost;
  const what = `the limit_conn of its own at ${file}:${line} replaces that of its tenant`;
  return canInclude
    ? `${what}; its include gives it back`
    : `${what}; move it to the server, beside the include`;
}

const breadth: readonly Counted[] = ['all', 'pages', 'scripts'];

/** Another limit_conn that lets a request pass would keep a script after an internal redirect from being counted. */
function countsOf(group: readonly NginxSite[], { otherLimit }: NginxHttp): Counted {
  const running = group.filter(runs);
  const broadest = breadth.find((each) => running.some(({ vhost }) => vhost.counts === each));
  const besides = otherLimit !== undefined || running.some(({ vhost }) => vhost.limitBeside);
  return broadest === 'scripts' && besides ? 'pages' : (broadest ?? 'scripts');
}

export const entryName = ({ site }: SiteEntries): string => siteName(site);
