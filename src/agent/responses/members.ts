/** Names in a question → who is meant, as far as the one who asks may see them. */
import type { Member } from '../../usage/member.ts';
import type { Entry } from '../sampling/member-index.ts';
import { hourMilliseconds } from '../../store/metrics/metrics-schema.ts';
import { isAdministrator, maySee, seesSince, visibleEntries } from '../api/caller.ts';
import { HttpError, type RequestContext } from '../api/request-context.ts';

/** Those that were named, or all that may be seen. */
export function askedEntries(request: RequestContext): readonly Entry[] {
  const { agent, caller, query } = request;
  const names = query.names('tenant');
  if (names.length > 0) return names.map((name) => namedEntry(request, name));
  const entries = visibleEntries(caller, agent.memberIndex);
  if (entries.length === 0 && !isAdministrator(caller)) {
    throw new HttpError(
      403,
      'You are no tenant of this host, and there is nothing of yours to see',
    );
  }
  return entries;
}

/** Whether somebody exists is not told to those who may not see them. */
export function namedEntry({ agent, caller }: RequestContext, name: string): Entry {
  const entry = agent.memberIndex.find(name);
  if (entry === undefined || !maySee(caller, entry)) {
    throw new HttpError(404, `There is no tenant ${JSON.stringify(name)} that you may see`);
  }
  return entry;
}

/** For stores: all members, without naming them one by one where everybody is meant. */
export function membersOf(
  request: RequestContext,
  entries: readonly Entry[],
): readonly Member[] | undefined {
  const everybody = request.query.names('tenant').length === 0 && isAdministrator(request.caller);
  return everybody ? undefined : entries.map((each) => each.who.member);
}

/** As many as are asked about one by one. */
const periodsMax = 8;

export interface Part {
  readonly from: number;
  readonly to: number;
  /** All where it is absent. */
  readonly members?: readonly Member[];
}

/**
 * A period, without what is older than the one who asks may see of each member: usually in one part. Where many
 * have begun within it at times of their own, some see less than they might, and none sees more.
 */
export function visibleParts(
  request: RequestContext,
  entries: readonly Entry[],
  { from, to }: { readonly from: number; readonly to: number },
): readonly Part[] {
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

/** From when on it may see what was counted of a member, within a period that begins at `from`. */
export function visibleFrom({ caller, agent }: RequestContext, entry: Entry, from: number): number {
  const since = seesSince(caller, entry, agent.membership);
  if (!Number.isFinite(since)) return Infinity;
  // Of what is summed up by the hour, the first one may be another's as well.
  const isSummedUp = Date.now() - since >= hourMilliseconds;
  return Math.max(from, isSummedUp ? hourAfter(since) : since);
}

const hourAfter = (at: number) => Math.ceil(at / hourMilliseconds) * hourMilliseconds;
