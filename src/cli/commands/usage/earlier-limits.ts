/** The limits of a member in a period, from the record of the policy's changes, which only root may read. */
import { MemberIndex } from '../../../agent/sampling/member-index.ts';
import type { LimitNumbers } from '../../../agent/api/api.ts';
import type { PolicyReader } from '../../../apply/load-policy.ts';
import {
  listChanges,
  readChangeText,
  readChangeTexts,
  type ListedChange,
} from '../../../apply/read-changes.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import type { LimitStep } from '../../../usage/chart/panel.ts';
import type { Member } from '../../../usage/member.ts';
import type { Period } from '../../shared/period.ts';

/** The limits of a member from some moment on. */
export interface LimitsFrom {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly limits: LimitNumbers;
}

/** The most changes whose texts are read; each is a whole policy. */
const changesMax = 100;

/**
 * Returns the limits at the beginning of the period and after each change in it, the oldest first; none if nothing has
 * changed since it began.
 */
export function earlierLimits(
  reader: PolicyReader,
  paths: Paths,
  member: Member,
  { from, to }: Period,
): Result<readonly LimitsFrom[], Problem> {
  const listed = listChanges(paths, { from, to: Number.MAX_SAFE_INTEGER });
  if (!listed.ok) return listed;
  const all = listed.value.filter(hasBeenApplied).toReversed();
  const within = all.filter(({ at }) => at < to);
  const changes = within.slice(-changesMax);
  const first = changes[0] ?? all[0];
  if (first === undefined) return ok([]);
  const found: LimitsFrom[] = [];
  const add = (at: number, text: Result<string, Problem>) => {
    const policy = text.ok ? reader.resolve('policy', text.value, paths).policy : undefined;
    if (policy === undefined) return;
    found.push({ from: at, limits: new MemberIndex(policy).entries.get(member)?.limits ?? {} });
  };
  // Before the oldest of too many changes, others were in force.
  if (changes.length === within.length) add(from, textBefore(paths, first));
  for (const each of changes) add(each.at, textAfter(paths, each));
  return ok(found);
}

const hasBeenApplied = ({ outcome }: ListedChange) =>
  outcome === 'in force' || outcome === 'failed';

function textBefore(paths: Paths, { number }: ListedChange): Result<string, Problem> {
  const found = readChangeTexts(paths, number);
  return found.ok ? ok(found.value.before) : found;
}

function textAfter(paths: Paths, { number }: ListedChange): Result<string, Problem> {
  const found = readChangeText(paths, number);
  return found.ok ? ok(found.value.text) : found;
}

/** Returns the steps of one limit; undefined if it was the same as now all the time. */
export function limitSteps(
  all: readonly LimitsFrom[],
  limit: LimitKey,
  now: number | undefined,
): readonly LimitStep[] | undefined {
  const steps: LimitStep[] = [];
  for (const { from, limits } of all) {
    const value = limits[limit];
    if (steps.length > 0 && steps.at(-1)?.limit === value) continue;
    steps.push({ from, ...(value !== undefined && { limit: value }) });
  }
  return steps.some((each) => each.limit !== now) ? steps : undefined;
}
