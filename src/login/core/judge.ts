/** Whether the step does in a service's session what it is there for. */
import { isCurrent, isOurs, isStep, isSystemd, type Step } from './profiles.ts';
import { jumpedOver, type Stack, type StackEntry } from './stack.ts';

/** What becomes of a tenant's session. */
export type Outcome =
  /** In the tenant's cgroup from the first instruction. */
  | 'placed'
  /** pam_systemd comes after the step and moves the process into a scope of its own. */
  | 'taken back'
  | 'not run';

export interface SessionJudgement {
  readonly outcome: Outcome;
  /** The step, once it has placed, leaves pam_systemd out. */
  readonly jumps: boolean;
  /** Modules of others that are left out although they must run. */
  readonly wronglySkipped: readonly string[];
  /** All lines of ours are as this installation writes them. */
  readonly current: boolean;
}

export function judgeSession(stack: Stack, step: Step): SessionJudgement {
  const ours = stack.filter(isOurs);
  const placing = stack.findIndex(isStep);
  const over = placing < 0 ? [] : jumpedOver(stack, placing);
  return {
    outcome: outcomeOf(stack, placing, over.length),
    jumps: over.some(isSystemd),
    wronglySkipped: [...new Set(stack.flatMap((each, at) => wronglyOver(stack, each, at)))],
    current: ours.every((each) => isCurrent(each, step)),
  };
}

function outcomeOf(stack: Stack, placing: number, over: number): Outcome {
  if (placing < 0) return 'not run';
  return stack.slice(placing + 1 + over).some(isSystemd) ? 'taken back' : 'placed';
}

function wronglyOver(stack: Stack, entry: StackEntry, index: number): readonly string[] {
  if (!isOurs(entry)) return [];
  const mayBeSkipped = (each: StackEntry) => isOurs(each) || (isStep(entry) && isSystemd(each));
  return jumpedOver(stack, index)
    .filter((each) => !mayBeSkipped(each))
    .map(({ module }) => module);
}
