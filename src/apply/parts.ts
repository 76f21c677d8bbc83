/**
 * The parts of a policy, apart from limits, that capabilities enforce. They are planned, applied and released with the
 * limits.
 */
import { capabilities } from '../capabilities.ts';
import type { Problem } from '../base/problem.ts';
import { ok, type Result } from '../base/result.ts';
import type { Paths } from '../host/paths.ts';
import type { Policy } from '../policy/policy.ts';

/** The caller of an apply; the agent's service may do less than a command. */
export type AppliedBy = 'command' | 'agent';

export interface PolicyPart {
  /** Returns what `apply` would do, a line each. */
  readonly plan?: (policy: Policy, paths: Paths) => readonly string[] | Promise<readonly string[]>;
  /**
   * Called before limits are applied. Returns `fail` if the limits must not be applied without it; other problems are
   * reported and the rest is done.
   */
  readonly apply?: (
    policy: Policy,
    paths: Paths,
    by: AppliedBy,
  ) => Promise<Result<readonly Problem[], Problem>>;
  /** Called after a command has applied limits; for the agent another process does it. Returns why it failed. */
  readonly follow?: (policy: Policy, paths: Paths) => Problem | undefined;
  /** Called after limits are removed. */
  readonly release?: (paths: Paths) => Promise<readonly Problem[]>;
}

const loadParts = (): Promise<readonly PolicyPart[]> =>
  Promise.all(capabilities.flatMap(({ policyPart }) => policyPart?.() ?? []));

export async function planParts(policy: Policy, paths: Paths): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const part of await loadParts()) lines.push(...((await part.plan?.(policy, paths)) ?? []));
  return lines;
}

export async function applyParts(
  policy: Policy,
  paths: Paths,
  by: AppliedBy,
): Promise<Result<readonly Problem[], Problem>> {
  const problems: Problem[] = [];
  for (const part of await loadParts()) {
    const applied = await part.apply?.(policy, paths, by);
    if (applied?.ok === false) return applied;
    problems.push(...(applied?.value ?? []));
  }
  return ok(problems);
}

export async function followParts(policy: Policy, paths: Paths): Promise<readonly Problem[]> {
  return (await loadParts()).flatMap((part) => part.follow?.(policy, paths) ?? []);
}

export async function releaseParts(paths: Paths): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const part of await loadParts()) problems.push(...((await part.release?.(paths)) ?? []));
  return problems;
}
