/** From what came of an attack and of its control to what is said of it. */
import type { Attack } from './attack.ts';
import type { Demands } from './demands.ts';
import { impossible, type Outcome } from './outcome.ts';

export type Verdict = 'held' | 'not held' | 'not available';

export interface Entry {
  readonly attack: string;
  readonly summary: string;
  readonly verdict: Verdict;
  /** What was seen, or why it could not be tried. */
  readonly detail: string;
  /** Whether the policy demands that it is held, and what would hold it. */
  readonly demanded: boolean;
  readonly remedy: string;
}

const verdicts = {
  held: 'held',
  through: 'not held',
  impossible: 'not available',
} as const satisfies Record<Outcome['kind'], Verdict>;

/** A refusal counts only where the same program got through as the control. */
export function withControl(outcome: Outcome, control: Outcome | undefined): Outcome {
  if (control === undefined || control.kind === 'through' || outcome.kind !== 'held')
    return outcome;
  return impossible(`it does not work without a limit either: ${control.detail}`);
}

export function entryOf(attack: Attack, outcome: Outcome, demands: Demands): Entry {
  return {
    attack: attack.name,
    summary: attack.summary,
    verdict: verdicts[outcome.kind],
    detail: outcome.detail,
    demanded: demands.has(attack.demandedBy),
    remedy: attack.remedy,
  };
}

/** What the policy demands and did not get. */
export const broken = (entries: readonly Entry[]): readonly Entry[] =>
  entries.filter(({ demanded, verdict }) => demanded && verdict === 'not held');
