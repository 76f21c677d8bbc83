/** Makes the verdict of an attack from its outcome and its control's. */
import type { Attack } from './attack.ts';
import type { Demands } from './demands.ts';
import { impossible, type AttackResult } from './outcome.ts';

export type AttackVerdict = 'blocked' | 'not blocked' | 'not available';

export interface ProofEntry {
  /** The attack's name. */
  readonly attack: string;
  /** A description for people. */
  readonly summary: string;
  /** The verdict. */
  readonly verdict: AttackVerdict;
  /** The observation, or the reason why it could not be tried. */
  readonly detail: string;
  /** Whether the policy demands that it is blocked. */
  readonly demanded: boolean;
  /** Advice, if it is not blocked. */
  readonly remedy: string;
}

const verdicts = {
  blocked: 'blocked',
  through: 'not blocked',
  impossible: 'not available',
} as const satisfies Record<AttackResult['kind'], AttackVerdict>;

/** Returns the outcome; a refusal counts only if the same program got through as the control. */
export function withControl(
  outcome: AttackResult,
  control: AttackResult | undefined,
): AttackResult {
  if (control === undefined || control.kind === 'through' || outcome.kind !== 'blocked')
    return outcome;
  return impossible(`it does not work without a limit either: ${control.detail}`);
}

export function entryOf(attack: Attack, outcome: AttackResult, demands: Demands): ProofEntry {
  return {
    attack: attack.name,
    summary: attack.summary,
    verdict: verdicts[outcome.kind],
    detail: outcome.detail,
    demanded: demands.has(attack.demandedBy),
    remedy: attack.remedy,
  };
}

/** Returns the attacks that the policy requires to be blocked, but that got through. */
export const broken = (entries: readonly ProofEntry[]): readonly ProofEntry[] =>
  entries.filter(({ demanded, verdict }) => demanded && verdict === 'not blocked');
