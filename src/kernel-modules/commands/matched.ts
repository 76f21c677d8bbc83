/** A module, and what comparing it with the offered source found. */
import type { Match } from '../core/source/match.ts';
import type { Rebuilt } from '../io/rebuild/rebuild.ts';
import type { ReadEntry } from '../io/scan/survey.ts';

export const matchOutcomes = ['differs', 'cannot tell', 'consistent', 'reproduced'] as const;
export type MatchOutcome = (typeof matchOutcomes)[number];

export interface Matched {
  readonly entry: ReadEntry;
  readonly match: Match;
  readonly rebuilt: Rebuilt | undefined;
}

export const statesSrcversion = ({ match }: Matched): boolean =>
  match.srcversion.claimed !== undefined;

/** Building says more than comparing texts, where it could be done. */
export function outcomeOf({ match, rebuilt }: Matched): MatchOutcome {
  return rebuilt === undefined || rebuilt.outcome === 'cannot tell'
    ? match.outcome
    : rebuilt.outcome;
}
