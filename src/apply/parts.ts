/**
 * The parts of a policy, apart from limits, that capabilities enforce. They are planned, applied and released with the
 * limits.
 */
import type { Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Paths } from '../host/paths.ts';
import type { Policy } from '../policy/policy.ts';
import type { AppliedBy, PolicyCapability, PolicyPart } from './capability.ts';

type Capabilities = readonly PolicyCapability[];

const loadParts = (capabilities: Capabilities): Promise<readonly PolicyPart[]> =>
  Promise.all(capabilities.flatMap(({ policyPart }) => policyPart?.() ?? []));

export async function planParts(
  capabilities: Capabilities,
  policy: Policy,
  paths: Paths,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const part of await loadParts(capabilities))
    lines.push(...((await part.plan?.(policy, paths)) ?? []));
  return lines;
}

export async function applyParts(
  capabilities: Capabilities,
  policy: Policy,
  paths: Paths,
  by: AppliedBy,
): Promise<Result<readonly Problem[], Problem>> {
  const problems: Problem[] = [];
  for (const part of await loadParts(capabilities)) {
    const applied = await part.apply?.(policy, paths, by);
    if (applied?.ok === false) return applied;
    problems.push(...(applied?.value ?? []));
  }
  return ok(problems);
}

export async function followParts(
  capabilities: Capabilities,
  policy: Policy,
  paths: Paths,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const part of await loadParts(capabilities))
    problems.push(...[(await part.follow?.(policy, paths)) ?? []].flat());
  return problems;
}

/** Puts in force what the agent does otherwise. */
export async function enforceParts(
  capabilities: Capabilities,
  policy: Policy,
  paths: Paths,
): Promise<readonly Problem[]> {
  const parts = await loadParts(capabilities);
  return parts.flatMap((part) => part.enforce?.(policy, paths) ?? []);
}

/** Returns the first reason why limits cannot be removed yet. */
export async function releaseBlocker(
  capabilities: Capabilities,
  paths: Paths,
): Promise<Problem | undefined> {
  for (const each of capabilities) {
    const blocker = (await each.releaseBlocker?.())?.(paths);
    if (blocker !== undefined) return blocker;
  }
  return undefined;
}

export async function releaseParts(
  capabilities: Capabilities,
  paths: Paths,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const part of await loadParts(capabilities))
    problems.push(...((await part.release?.(paths)) ?? []));
  return problems;
}
