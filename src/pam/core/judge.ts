/** Decides whether the step works in a service's session. */
import {
  isAdmitting,
  isCurrent,
  isEntering,
  isOurLine,
  isStep,
  isSystemd,
  isWithinOthers,
  passesSlice,
  type PamStep,
} from './profiles.ts';
import { jumpedOver, type Stack, type StackEntry } from './stack.ts';

/** The outcome for a tenant's session. */
export type SessionOutcome =
  /** The session is in the tenant's cgroup from the first instruction. */
  | 'placed'
  /** pam_systemd runs after the step and moves the process into a scope of its own. */
  | 'taken back'
  | 'not run';

/** The outcome for a tenant with a systemd slice, in which pam_systemd places sessions. */
export type SliceOutcome =
  | 'placed'
  | 'by pam_systemd'
  /** pam_systemd places it too, but not within another session, such as root's that uses su. */
  | 'by pam_systemd, if alone'
  | 'not run';

export interface SessionJudgement {
  readonly outcome: SessionOutcome;
  /** Whether the step, once it has placed, skips pam_systemd. */
  readonly jumps: boolean;
  /** Other packages' modules that are skipped although they must run. */
  readonly wronglySkipped: readonly string[];
  /** Whether a session of an account with a jail is opened in it, or not at all. */
  readonly entersJail: boolean;
  /** Whether all lines of ours are as this installation writes them. */
  readonly current: boolean;
}

export function judgeSession(stack: Stack, step: PamStep): SessionJudgement {
  const ours = stack.filter(isOurLine);
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

/** Whether an account stack keeps tenants with a jail from daemons that cannot enter it. */
export function isRefusing(stack: Stack, step: PamStep): boolean {
  const at = stack.findIndex(isAdmitting);
  const [ours, next] = stack.slice(Math.max(at, 0));
  if (at < 0 || ours === undefined || next === undefined) return false;
  const isReached = !stack.slice(0, at).some(({ control }) => endsOnSuccess.test(control));
  return isReached && isOurLine(next) && isCurrent(ours, step) && isCurrent(next, step);
}

/** Controls of lines after which a phase has succeeded, whatever follows. */
const endsOnSuccess = /^sufficient$|\bsuccess=done\b/;

function outcomeOf(stack: Stack, placing: number, over: number): SessionOutcome {
  if (placing < 0) return 'not run';
  return stack.slice(placing + 1 + over).some(isSystemd) ? 'taken back' : 'placed';
}

function wronglyOver(stack: Stack, entry: StackEntry, index: number): readonly string[] {
  if (!isOurLine(entry)) return [];
  const mayBeSkipped = (each: StackEntry) =>
    (isOurLine(each) && !isEntering(each)) || (isStep(entry) && isSystemd(each));
  return jumpedOver(stack, index)
    .filter((each) => !mayBeSkipped(each))
    .map(({ module }) => module);
}

/** Returns the outcome for the session of a tenant with a slice. */
export function judgeSlice(stack: Stack, service: string): SliceOutcome {
  const reached = reachedBy(stack, (entry) => passesSlice(entry, service));
  const step = reached.findIndex(isStep);
  if (reached.slice(step + 1).some(isSystemd))
    return step < 0 && isWithinOthers(service) ? 'by pam_systemd, if alone' : 'by pam_systemd';
  return step < 0 ? 'not run' : 'placed';
}

/** Returns the modules that run if these succeed and no other one that jumps. */
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
