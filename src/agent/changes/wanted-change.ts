/**
 * Checks the change of a site's limits that a tenant or its reseller wants: only limits of its own, and never above the
 * tenant's.
 */
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { parseAssignments, type Assignment } from '../../policy/assignment.ts';
import { parseLimit } from '../../policy/parse-limit.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { formatQuantity, type Quantity } from '../../../packages/base/quantity.ts';
import { limitAttribute } from '../../limits/limits.ts';
import {
  exceeds,
  limitedSitesMax,
  servedSitesMax,
  tenantCannotSet,
  type OwnLimit,
  type SiteLimits,
} from '../../policy/sites/site-limits.ts';
import type { SiteLimitSetter } from '../../policy/document.ts';
import { originOf, type Chain, type Link } from '../../policy/policy.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { formatCause, type Cause, type Problem } from '../../../packages/base/problem.ts';

/** Limits and their new values; a limit without a value is removed. */
export type SiteChange = ReadonlyMap<LimitKey, Quantity | undefined>;

const wordsMax = 32;
const wordLengthMax = 100;
const action = 'change limits of';

export interface ChangedSite {
  /** The name that messages use. */
  readonly name: string;
  readonly chain: Chain;
  readonly own?: readonly OwnLimit[] | undefined;
  readonly tenant: LimitValues;
  /** The role that makes the change. */
  readonly setter: SiteLimitSetter;
}

/** Parses a change: `set` are words such as `cpu.limit=50%`, `unset` names of limits. */
export function readChange(
  site: ChangedSite,
  set: readonly string[],
  unset: readonly string[],
): HttpResult<SiteChange> {
  const words = [...set, ...unset];
  const refuse = (cause: Cause) => httpError({ status: 400, action, object: site.name, ...cause });
  if (words.length > wordsMax) return refuse({ reason: `more than ${wordsMax} limits are named` });
  if (words.some((each) => each.length > wordLengthMax))
    return refuse({ reason: 'a limit is too long' });
  const parsed = parseAssignments(set, unset);
  if (!parsed.ok) return refuse({ reason: parsed.error.map(formatCause).join('; ') });
  const change = changeOf(site, parsed.value);
  if (!change.ok) return refuse(change.error);
  const foreign = takesBackOthers(site, change.value);
  return foreign === undefined ? change : refuse(foreign);
}

function changeOf(
  site: ChangedSite,
  assignments: readonly Assignment[],
): Result<SiteChange, Cause> {
  const change = new Map<LimitKey, Quantity | undefined>();
  for (const each of assignments) {
    if (each.kind !== 'limit')
      return fail({ reason: 'only the administrator sets what is not a limit' });
    const { key, value: text } = each;
    const why = tenantCannotSet(key);
    // A limit that was never set can be removed, as with the name of a limit that stands for several.
    if (why !== undefined && text === undefined) continue;
    if (why !== undefined)
      return fail({ reason: `only the administrator sets ${shown(key)}: ${why.reason}` });
    const value = text === undefined ? undefined : parseLimit(key, text);
    if (value?.ok === false) return value;
    const problem = value && problemWith(site, key, value.value);
    if (problem !== undefined) return fail(problem);
    change.set(key, value?.value);
  }
  return change.size > 0
    ? ok(change)
    : fail({ reason: 'only the administrator sets these limits' });
}

function problemWith(site: ChangedSite, key: LimitKey, value: Quantity): Cause | undefined {
  const origin = originOf(site.chain, key);
  const above = origin && setBefore(site.setter, origin.link);
  if (above !== undefined) return { reason: `${above} has set ${shown(key)} of this site` };
  const bound = exceeds(key, value, site.tenant);
  const whose = site.setter === 'tenant' ? 'your own' : 'that of the tenant';
  return bound === undefined
    ? undefined
    : { reason: `${shown(key)} is above ${whose}, which is ${bound}` };
}

/** Returns whose limits take precedence over the setter's. */
function setBefore(setter: SiteLimitSetter, { kind, name }: Link): string | undefined {
  if (kind === 'site') return 'the administrator';
  return kind === 'set by reseller' && setter === 'tenant' ? `your ${name}` : undefined;
}

/** Returns an error if the change would remove nothing of the setter's own, while limits that others have set stay. */
function takesBackOthers(
  { chain, own = [], setter }: ChangedSite,
  change: SiteChange,
): Cause | undefined {
  const isOwn = (key: LimitKey) => own.some((each) => each.key === key && each.setter === setter);
  if ([...change].some(([key, value]) => value !== undefined || isOwn(key))) return undefined;
  for (const key of change.keys()) {
    const link = originOf(chain, key)?.link;
    if (link === undefined) continue;
    const who = link.kind === 'site' ? 'the administrator' : link.name;
    return { reason: `${who} has set ${shown(key)} of this site, and not you` };
  }
  return undefined;
}

const shown = (key: LimitKey) => key.replace('.', ' ');

/** Formats a change: `cpu.limit 50%, memory.limit unset`. */
export const formatChange = (change: SiteChange): string =>
  [...change]
    .map(([key, value]) =>
      value === undefined
        ? `${key} unset`
        : `${key} ${formatQuantity(limitAttribute(key).kind, value)}`,
    )
    .join(', ');

/** Returns the limits that are kept afterwards; `written` are the sites that the policy has. */
export function withChange(
  sites: SiteLimits,
  site: string,
  change: SiteChange,
  written: ReadonlySet<string>,
) {
  const changed = new Map(sites);
  const values = new Map(changed.get(site));
  for (const [key, value] of change) {
    if (value === undefined) values.delete(key);
    else values.set(key, value);
  }
  if (values.size === 0) changed.delete(site);
  else changed.set(site, values);
  if (changed.size <= sites.size) return ok<SiteLimits>(changed);
  const others = [...changed.keys()].filter((name) => !written.has(name));
  if (changed.size > limitedSitesMax) return fail(tooMany(limitedSitesMax, 'sites'));
  return others.length > servedSitesMax && !written.has(site)
    ? fail(tooMany(servedSitesMax, 'sites that the policy does not have'))
    : ok<SiteLimits>(changed);
}

const tooMany = (max: number, what: string): Problem => ({
  action,
  object: 'another site',
  reason: `you have set limits of ${max} ${what}`,
  hint: 'unset those of one first',
});
