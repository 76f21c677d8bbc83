/** What a tenant wants to change of a site's limits, checked: only what is its own, and never above what it has itself. */
import { fail, ok } from '../../base/result.ts';
import { parseAssignments } from '../../policy/assignment.ts';
import { parseLimit } from '../../policy/parse-limit.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { printQuantity, type Quantity } from '../../base/quantity.ts';
import { limitAttribute } from '../../limits/limits.ts';
import {
  exceeds,
  limitedSitesMax,
  tenantCannotSet,
  type SiteLimits,
} from '../../policy/sites/site-limits.ts';
import { originOf, type Chain } from '../../policy/policy.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import type { Problem } from '../../base/problem.ts';

/** Absent value: the limit is taken back. */
export type SiteChange = ReadonlyMap<LimitKey, Quantity | undefined>;

const wordsMax = 32;
const wordLengthMax = 100;
const action = 'change limits of';

export interface ChangedSite {
  /** As the tenant named it. */
  readonly name: string;
  readonly chain: Chain;
  readonly tenant: LimitValues;
}

/** `set` are words such as `cpu.limit=50%`, `unset` names of limits. */
export function readChange(
  site: ChangedSite,
  set: readonly string[],
  unset: readonly string[],
): HttpResult<SiteChange> {
  const words = [...set, ...unset];
  const refuse = (reason: string, hint?: string) =>
    httpError({ status: 400, action, object: site.name, reason, ...(hint && { hint }) });
  if (words.length > wordsMax) return refuse(`more than ${wordsMax} limits are named`);
  if (words.some((each) => each.length > wordLengthMax)) return refuse('a limit is too long');
  const parsed = parseAssignments(set, unset);
  if (!parsed.ok) return refuse(parsed.error.join('; '));
  const change = new Map<LimitKey, Quantity | undefined>();
  for (const each of parsed.value) {
    if (each.kind === 'package') return refuse('only the administrator chooses a package');
    const { key, value: text } = each;
    const why = tenantCannotSet(key);
    // What was never there can be taken back, as with the name of a limit that stands for several.
    if (why !== undefined && text === undefined) continue;
    if (why !== undefined) return refuse(`only the administrator sets ${shown(key)}: ${why}`);
    const value = text === undefined ? undefined : parseLimit(key, text);
    if (value?.ok === false) return refuse(value.error);
    const problem = value && problemWith(site, key, value.value);
    if (problem !== undefined) return refuse(problem);
    change.set(key, value?.value);
  }
  return change.size > 0 ? ok(change) : refuse('only the administrator sets these limits');
}

function problemWith(
  { chain, tenant }: ChangedSite,
  key: LimitKey,
  value: Quantity,
): string | undefined {
  const origin = originOf(chain, key);
  if (origin !== undefined && origin.link.kind !== 'own')
    return `the administrator has set ${shown(key)} of this site`;
  const bound = exceeds(key, value, tenant);
  return bound && `${shown(key)} is above your own, which is ${bound}`;
}

const shown = (key: LimitKey) => key.replace('.', ' ');

/** `cpu.limit 50%, memory.limit unset`. */
export const printChange = (change: SiteChange): string =>
  [...change]
    .map(([key, value]) =>
      value === undefined
        ? `${key} unset`
        : `${key} ${printQuantity(limitAttribute(key).kind, value)}`,
    )
    .join(', ');

/** What is kept afterwards; sites that are not the tenant's any more are left out. */
export function withChange(
  sites: SiteLimits,
  site: string,
  change: SiteChange,
  own: ReadonlySet<string>,
) {
  const changed = new Map([...sites].filter(([name]) => own.has(name)));
  const values = new Map(changed.get(site));
  for (const [key, value] of change) {
    if (value === undefined) values.delete(key);
    else values.set(key, value);
  }
  if (values.size === 0) changed.delete(site);
  else changed.set(site, values);
  return changed.size <= limitedSitesMax ? ok<SiteLimits>(changed) : fail<Problem>(tooManySites);
}

const tooManySites: Problem = {
  action,
  object: 'another site',
  reason: `you have set limits of ${limitedSitesMax} sites`,
  hint: 'unset those of one first',
};
