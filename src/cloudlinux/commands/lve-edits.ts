/** Edits of the policy that commands in CloudLinux's shape share. */
import { availableParallelism } from 'node:os';
import { limitNumbers } from '../../agent/sampling/limit-numbers.ts';
import type { Paths } from '../../host/paths.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { attributes } from '../../limits/limits.ts';
import { parseAssignments, type Assignment } from '../../policy/assignment.ts';
import type { LimitBlock, PolicyDocument } from '../../policy/document.ts';
import { removeTarget, setLimits, type AccountTarget, type EditTarget } from '../../policy/edit.ts';
import {
  findTenant,
  givenLimits,
  type Policy,
  type Reseller,
  type Tenant,
} from '../../policy/policy.ts';
import type { ProblemOrCause } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readCoreMegahertz } from '../io/core-clock.ts';
import { limitWords, type LimitOptions, type OptionTarget } from './limit-options.ts';
import type { LveEdit, ReadPolicy } from './lve-policy.ts';

/** Sets the limits that the options name. */
export function settingEdit(target: EditTarget, options: LimitOptions, paths: Paths): LveEdit {
  return (text, now) => {
    const chosen = limitWords(options, placeOf(target, now, paths));
    if (!chosen.ok) return chosen;
    const assignments = parseAssignments(chosen.value);
    return assignments.ok ? setLimits(text, target, assignments.value) : assignments;
  };
}

export function valuesIn(block: LimitBlock | undefined): LimitValues {
  return Object.fromEntries([...(block?.values ?? [])].map(([key, { value }]) => [key, value]));
}

export const defaultsOf = (document: PolicyDocument): LimitValues => valuesIn(document.defaults);

function placeOf(target: EditTarget, now: ReadPolicy | undefined, paths: Paths): OptionTarget {
  const values = now === undefined ? {} : valuesOf(target, now);
  return {
    cores: availableParallelism(),
    coreMegahertz: readCoreMegahertz(paths),
    values,
    numbers: limitNumbers(values),
  };
}

/** Returns the target's effective limits; a new target has the defaults. */
function valuesOf(target: EditTarget, { policy, document }: ReadPolicy): LimitValues {
  const defaults = valuesIn(document.defaults);
  switch (target.kind) {
    case 'defaults':
      return defaults;
    case 'package': {
      const found = document.packages.find((each) => each.name.value === target.name);
      return { ...defaults, ...valuesIn(found) };
    }
    case 'tenant':
      return limitsOf(findTenant(policy, nameIn(target))) ?? defaults;
    case 'reseller':
      return limitsOf(resellerIn(policy, target)) ?? {};
    case 'site':
      return {};
  }
}

/** Returns the limits that the policy writes, also if it only observes them. */
const limitsOf = (found: Tenant | Reseller | undefined) => found && givenLimits(found);

const nameIn = ({ name }: AccountTarget) => (name.kind === 'user' ? name.user : String(name.uid));

const resellerIn = (policy: Policy, target: AccountTarget): Reseller | undefined =>
  policy.resellers.find((each) => [each.account?.user, String(each.uid)].includes(nameIn(target)));

const unset = (keys: Iterable<LimitKey>): readonly Assignment[] =>
  [...keys].map((key) => ({ kind: 'limit', key, value: undefined }));

const nothingWritten = unset(attributes.keys());

/** Removes the limits that are written only for this tenant, which stays a tenant. */
export function clear(
  text: string,
  target: EditTarget,
  now: ReadPolicy | undefined,
): Result<string, readonly ProblemOrCause[]> {
  return clearLimits(text, target, now, attributes.keys());
}

/** Removes only these limits. */
export function clearLimits(
  text: string,
  target: EditTarget,
  now: ReadPolicy | undefined,
  keys: Iterable<LimitKey>,
): Result<string, readonly ProblemOrCause[]> {
  if (now !== undefined && target.kind === 'tenant') {
    const found = findTenant(now.policy, nameIn(target));
    if (found !== undefined && found.chain[0]?.kind !== 'tenant') return ok(text);
  }
  return setLimits(text, target, unset(keys));
}

/**
 * Removes the target, or only its limits if something still inherits from it, or it still has
 * tenants.
 */
export function removeOrClear(
  text: string,
  target: EditTarget,
  now: ReadPolicy | undefined,
): Result<string, readonly ProblemOrCause[]> {
  const removed = removeTarget(text, target);
  if (removed.ok || now === undefined || !isUsed(target, now)) return removed;
  return setLimits(text, target, nothingWritten);
}

function isUsed(target: EditTarget, { policy, document }: ReadPolicy): boolean {
  if (target.kind === 'package') {
    return document.packages.some((each) => each.name.value === target.name);
  }
  return target.kind === 'reseller' && resellerIn(policy, target) !== undefined;
}
