/** Whether the step does in a service's session what it is there for. */
import {
  isCurrent,
  isEntering,
  isOurs,
  isStep,
  isSystemd,
  isWithinOthers,
  passesSlice,
  type Step,
} from './profiles.ts';
import { jumpedOver, type Stack, type StackEntry } from './stack.ts';

/** What becomes of a tenant's session. */
export type Outcome =
  /** In the tenant's cgroup from the first instruction. */
  | 'placed'
  /** pam_systemd comes after the step and moves the process into a scope of its own. */
  | 'taken back'
  | 'not run';

/** What becomes of it where the tenant is a slice of systemd, in which pam_systemd places sessions. */
export type SliceOutcome =
  | 'placed'
  | 'by pam_systemd'
  /** By pam_systemd too, but not within another session, as of root who uses su. */
  | 'by pam_systemd, if alone'
  | 'not run';

export interface SessionJudgement {
  readonly outcome: Outcome;
  /** The step, once it has placed, leaves pam_systemd out. */
  readonly jumps: boolean;
  /** Modules of others that are left out although they must run. */
  readonly wronglySkipped: readonly string[];
  /** Sessions of who has a jail are opened in it, or not at all. */
  readonly entersJail: boolean;
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
    entersJail: stack.some(isEntering) && !over.some(isEntering),
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
  const mayBeSkipped = (each: StackEntry) =>
    (isOurs(each) && !isEntering(each)) || (isStep(entry) && isSystemd(each));
  return jumpedOver(stack, index)
    .filter((each) => !mayBeSkipped(each))
    .map(({ module }) => module);
}

/** What becomes of the session of a tenant that is a slice. */
export function judgeSlice(stack: Stack, service: string): SliceOutcome {
  const reached = reachedBy(stack, (entry) => passesSlice(entry, service));
  const step = reached.findIndex(isStep);
  if (reached.slice(step + 1).some(isSystemd))
    return step < 0 && isWithinOthers(service) ? 'by pam_systemd, if alone' : 'by pam_systemd';
  return step < 0 ? 'not run' : 'placed';
}

/** The modules that are run if these succeed and no other one that jumps. */
function reachedBy(stack: Stack, succeeds: (entry: StackEntry) => boolean): Stack {
  const reached: StackEntry[] = [];
  for (let index = 0; index < stack.length; index++) {
    const entry = stack[index];
    if (entry === undefined) break;
    reached.push(entry);
    if (succeeds(entry)) index += jumpedOver(stack, index).length;
  }
  return reached;
}
