/**
 * The nginx sites at which the policy's entries are enforced, and why others are not.
 *
 * nginx knows a request's site by `$server_name`, the first name of the vhost: vhosts that share it, such as one at
 * port 80 and one at port 443, are one site here.
 */
import { formatCause, type Cause } from '../../../../packages/base/problem.ts';
import { siteLabel } from '../notes.ts';
import type { SiteView } from '../overview.ts';
import { siteNameOf } from '../site.ts';
import type { NginxHttp } from '../nginx/http-level.ts';
import { mergedCounting, withoutFree, type Counting } from '../nginx/counting.ts';
import type { NginxVhost } from '../nginx/vhost.ts';
import { siteBounds, type Bound, type EntryLimits, type TenantEntries } from './limits.ts';

export interface EnforcedSite {
  /** The value of `$server_name` in lower case, as a map compares it. */
  readonly name: string;
  readonly uid: number;
  /** The limits in force, at least one. */
  readonly bounds: readonly Bound[];
  readonly counts: Counting;
}

/** The state of one vhost. */
export interface SiteEntries {
  readonly site: SiteView;
  /** The limits that the policy sets for it, innermost first. */
  readonly bounds: readonly Bound[];
  /**
   * `nothing to count`: it runs nothing, or belongs to nobody with a limit. `partly enforced`: all limits but the site's
   * are enforced.
   */
  readonly state: 'enforced' | 'partly enforced' | 'not enforced' | 'nothing to count';
  /** The reason why it is not enforced, or only partly, and what to do. */
  readonly reason?: string;
}

export const isEnforced = ({ state }: Pick<SiteEntries, 'state'>): boolean =>
  state === 'enforced' || state === 'partly enforced';

export interface Enforcement {
  readonly enforced: readonly EnforcedSite[];
  /** Sites whose limits are enforced once their vhosts include our file, which needs everything else first. */
  readonly waiting: readonly EnforcedSite[];
  readonly sites: readonly SiteEntries[];
}

const nameBytesMax = 1_000;
/** A key of a zone. Source: ngx_http_limit_conn_module.c, ngx_http_limit_conn_handler(). */
const keyBytesMax = 255;

export interface EnforcementContext {
  readonly limits: EntryLimits;
  readonly http: NginxHttp;
  readonly hostName: string;
  /** Whether a vhost includes our file once this is written, though it does not do so now. */
  readonly willInclude?: (site: SiteView) => boolean;
}

type NginxSite = SiteView & { readonly vhost: NginxVhost };

const isNginx = (site: SiteView): site is NginxSite => site.vhost !== undefined;
const runs = ({ handlers }: SiteView) => handlers.some(({ kind }) => kind !== 'other');

export function enforcementOf(
  sites: readonly SiteView[],
  context: EnforcementContext,
): Enforcement {
  const { http, hostName } = context;
  const nameOf = ({ vhost: { serverName } }: NginxSite) =>
    lower(serverName === '$hostname' ? hostName : serverName);
  const groups = Map.groupBy(sites.filter(isNginx), nameOf);
  const enforced: EnforcedSite[] = [];
  const waiting: EnforcedSite[] = [];
  const views: SiteEntries[] = [];
  for (const [name, group] of groups) {
    const judged = group.map((site) => judge(site, group, name, context));
    views.push(...judged.map(viewOf));
    const first = judged.find(isEnforced);
    const chosen = first ?? judged.find(({ cause }) => cause?.hint === needsInclude);
    const { owner } = chosen?.site ?? {};
    const bounds = chosen === undefined ? [] : enforcedBounds(chosen);
    if (owner === undefined || bounds.length === 0) continue;
    const site = { name, uid: owner.uid, bounds, counts: countsOf(group, http) };
    (first === undefined ? waiting : enforced).push(site);
  }
  return { enforced, waiting, sites: views };
}

/** Converts A to Z to lower case, and nothing else, as nginx does. */
const lower = (text: string) => text.replace(/[A-Z]+/g, (each) => each.toLowerCase());

/** Returns the limits that can be enforced. */
const enforcedBounds = ({ state, bounds }: Judged) =>
  state === 'partly enforced' ? bounds.filter(({ kind }) => kind !== 'site') : bounds;

interface Judged extends Omit<SiteEntries, 'reason'> {
  readonly cause?: Cause;
}

const viewOf = ({ cause, ...judged }: Judged): SiteEntries =>
  cause === undefined ? judged : { ...judged, reason: formatCause(cause) };

function judge(
  site: NginxSite,
  group: readonly NginxSite[],
  name: string,
  { limits, http, willInclude = () => false }: EnforcementContext,
): Judged {
  const { owner } = site;
  const entries = owner === undefined ? undefined : limits.get(owner.uid);
  if (owner === undefined || entries === undefined) return { site, ...nothing };
  const bounds = siteBounds(site, limits);
  if (bounds.length === 0 || !runs(site)) return { site, ...nothing };
  const cause =
    nameProblem(name, http) ?? sharedName(site, group) ?? lostLimit(site, willInclude(site));
  if (cause !== undefined) return { site, bounds, state: 'not enforced', cause };
  const partly = siteProblem(site, group, bounds, entries);
  if (partly === undefined) return { site, bounds, state: 'enforced' };
  return {
    site,
    bounds,
    state: bounds.length > 1 ? 'partly enforced' : 'not enforced',
    cause: partly,
  };
}

const nothing = { bounds: [], state: 'nothing to count' } as const;

/** Returns why the site's limit and its tenant's cannot be told apart, if they cannot. */
function siteProblem(
  site: NginxSite,
  group: readonly NginxSite[],
  bounds: readonly Bound[],
  entries: TenantEntries,
): Cause | undefined {
  if (!bounds.some(({ kind }) => kind === 'site')) return undefined;
  const ofSite = (each: NginxSite) => siteNameOf(each.names, entries.sites);
  const other = group.find((each) => runs(each) && ofSite(each) !== ofSite(site));
  if (other !== undefined)
    return {
      reason: `the vhost at ${other.file}:${other.line}, which does not belong to that site, has the same first name`,
      hint: 'give each one of its own',
    };
  const tooLong = bounds.some(({ member }) => member.length > keyBytesMax);
  return tooLong
    ? { reason: `with its tenant the name of the site has more than ${keyBytesMax} bytes` }
    : undefined;
}

/** The bytes that an entry in a map's table takes in addition to its name. Source: NGX_HASH_ELT_SIZE of ngx_hash.c. */
export const hashBytesBesides = 32;

function nameProblem(name: string, { mapBucketBytes }: NginxHttp): Cause | undefined {
  const hint = 'give it another one first';
  if (name.includes('\ufffd')) return { reason: 'its first name is not UTF-8', hint };
  const bytes = Buffer.byteLength(name);
  if (bytes > nameBytesMax)
    return { reason: `its first name is longer than ${nameBytesMax} bytes`, hint };
  if (mapBucketBytes === undefined || bytes + hashBytesBesides <= mapBucketBytes) return undefined;
  return {
    reason: `its first name is too long for the map_hash_bucket_size ${mapBucketBytes} of nginx`,
    hint: 'raise that',
  };
}

/** Returns the problem of a first name shared with another owner. A site that runs nothing takes nobody's entries. */
function sharedName(site: NginxSite, group: readonly NginxSite[]): Cause | undefined {
  const other = group.find((each) => runs(each) && each.owner?.uid !== site.owner?.uid);
  if (other === undefined) return undefined;
  const whose = other.owner === undefined ? 'nobody' : other.owner.name;
  return {
    reason: `the vhost at ${other.file}:${other.line}, which belongs to ${whose}, has the same first name`,
    hint: 'give each one of its own',
  };
}

const needsInclude = 'the include restores it';

function lostLimit({ vhost: { limitLost } }: NginxSite, includes: boolean): Cause | undefined {
  if (limitLost === undefined || (includes && limitLost.canInclude)) return undefined;
  const { file, line, canInclude } = limitLost;
  return {
    reason: `its own limit_conn at ${file}:${line} replaces its tenant's limit`,
    hint: canInclude ? needsInclude : 'move it to the server, next to the include',
  };
}

/**
 * Merges the counting of vhosts. If another limit_conn lets a request pass, nginx would not count a script after an
 * internal redirect, so nothing is free then.
 */
function countsOf(group: readonly NginxSite[], { otherLimit }: NginxHttp): Counting {
  const running = group.filter(runs);
  const counting = mergedCounting(running.map(({ vhost }) => vhost.counts));
  const besides = otherLimit !== undefined || running.some(({ vhost }) => vhost.limitBeside);
  return besides ? withoutFree(counting) : counting;
}

export const entryName = ({ site }: SiteEntries): string => siteLabel(site);
