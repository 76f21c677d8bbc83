/**
 * The parts of a capability that a policy needs: its format, what enforces it, what undoes it, and the incidents that
 * alert rules can name.
 */
import type { Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import type { Paths } from '../host/paths.ts';
import type { Policy } from '../policy/policy.ts';
import type { CapabilityIncidents } from '../usage/incident-kinds.ts';
import type { PolicyFormat } from './policy-format.ts';
import type { UndoStep } from './undo-step.ts';

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
  /** Called after a command has applied limits; for the agent another process does it. Returns what failed. */
  readonly follow?: (
    policy: Policy,
    paths: Paths,
  ) => Problem | undefined | Promise<readonly Problem[]>;
  /** Puts in force what the agent does otherwise, for a policy that no agent follows. Returns what failed. */
  readonly enforce?: (policy: Policy, paths: Paths) => readonly Problem[];
  /** Called after limits are removed. */
  readonly release?: (paths: Paths) => Promise<readonly Problem[]>;
}

/** A part that is loaded when it is first needed. */
export type Lazy<T> = () => Promise<T>;

export interface PolicyCapability {
  /** Another format in which a policy may be written. */
  readonly policyFormat?: Lazy<PolicyFormat>;
  /** The part of the policy that the capability enforces, next to limits. */
  readonly policyPart?: Lazy<PolicyPart>;
  /** The incidents that the capability reports or explains. */
  readonly incidents?: CapabilityIncidents;
  /** Why limits cannot be removed yet; asked before `release` changes anything. */
  readonly releaseBlocker?: Lazy<(paths: Paths) => Problem | undefined>;
  /** Returns steps that undo what is in force now; `release --all` asks capabilities in the order of their list. */
  readonly undo?: Lazy<(paths: Paths) => readonly UndoStep[]>;
}
