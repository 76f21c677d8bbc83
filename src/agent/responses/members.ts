/** Names in a request → the members they refer to, if the caller may see them. */
import { ok } from '../../../packages/base/result.ts';
import { siteName } from '../../policy/policy.ts';
import type { Member } from '../../usage/member.ts';
import type { MemberEntry } from '../sampling/member-index.ts';
import { hourMilliseconds } from '../../store/metrics/metrics-schema.ts';
import { isAdministrator, maySee, seesSince, visibleEntries } from '../api/caller.ts';
import { httpError, type HttpResult } from '../api/http-result.ts';
import { type RequestContext } from '../api/request-context.ts';

/** Returns the named members, or all that the caller may see. */
export function askedEntries(request: RequestContext): HttpResult<readonly MemberEntry[]> {
  const { agent, caller, query } = request;
  const names = query.names('tenant');
  if (!names.ok) return names;
  if (names.value.length > 0) return namedEntries(request, names.value);
  const entries = visibleEntries(caller, agent.memberIndex);
  if (entries.length > 0 || isAdministrator(caller)) return ok(entries);
  return httpError({
    status: 403,
    action: 'show tenants',
    reason: 'you are not a tenant of this host',
  });
}

function namedEntries(
  request: RequestContext,
  names: readonly string[],
): HttpResult<readonly MemberEntry[]> {
  const entries: MemberEntry[] = [];
  for (const name of names) {
    const entry = namedEntry(request, name);
    if (!entry.ok) return entry;
    entries.push(entry.value);
  }
  return ok(entries);
}

/**
 * Finds a member. Callers do not learn whether a member exists that they may not see. A tenant may name its sites
 * without itself.
 */
export function namedEntry(
  { agent, caller }: RequestContext,
  name: string,
): HttpResult<MemberEntry> {
  const short =
    caller.kind !== 'token' && !name.includes('/') ? [siteName(`${caller.uid}`, name)] : [];
  const entry = [name, ...short]
    .map((each) => agent.memberIndex.find(each))
    .find((each) => each !== undefined && maySee(caller, each));
  if (entry !== undefined) return ok(entry);
  return httpError({
    status: 404,
    action: 'show tenant',
    object: name,
    reason: 'there is none with that name that you may see',
  });
}

/** Returns the members for a query of a store, or undefined for all of them. */
export function membersOf(
  request: RequestContext,
  entries: readonly MemberEntry[],
): readonly Member[] | undefined {
  const everybody = !request.query.has('tenant') && isAdministrator(request.caller);
  return everybody ? undefined : entries.map((each) => each.who.member);
}

/** The maximum number that is queried one by one. */
const periodsMax = 8;

export interface PeriodPart {
  readonly from: number;
  readonly to: number;
  /** The members of this part; absent: all. */
  readonly members?: readonly Member[];
}

/**
 * Splits a period so that each member's time before the caller may see it is left out; usually it has one part. If many
 * members begin within it at different times, some callers see less than they could, and none sees more.
 */
export function visibleParts(
  request: RequestContext,
  entries: readonly MemberEntry[],
  { from, to }: { readonly from: number; readonly to: number },
): readonly PeriodPart[] {
  const members = membersOf(request, entries);
  if (members === undefined) return [{ from, to }];
  const begins = Map.groupBy(entries, (entry) => visibleFrom(request, entry, from));
  const latest = Math.max(...[...begins.keys()].filter((begin) => begin < to));
  const parts = [...begins].filter(([begin]) => begin < to).sort(([a], [b]) => a - b);
  const few = parts.slice(0, periodsMax - 1);
  const rest = parts.slice(periodsMax - 1).flatMap(([, of]) => of);
  return [...few, ...(rest.length === 0 ? [] : [[latest, rest] as const])].map(([from, of]) => ({
    from,
    to,
    members: of.map((each) => each.who.member),
  }));
}

/** Returns the time since when the caller may see a member's counts, in a period that begins at `from`. */
export function visibleFrom(
  { caller, agent }: RequestContext,
  entry: MemberEntry,
  from: number,
): number {
  const since = seesSince(caller, entry, agent.membership);
  if (!Number.isFinite(since)) return Infinity;
  // The first hour of a roll-up may include the previous owner's usage.
  const isSummedUp = Date.now() - since >= hourMilliseconds;
  return Math.max(from, isSummedUp ? hourAfter(since) : since);
}

const hourAfter = (at: number) => Math.ceil(at / hourMilliseconds) * hourMilliseconds;
