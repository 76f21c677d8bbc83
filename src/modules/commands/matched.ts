/** A module, and the result of comparing it with the offered source. */
import type { SourceMatch } from '../../../packages/modules/core/source/match-result.ts';
import type { Rebuilt } from '../../../packages/modules/io/rebuild/rebuild.ts';
import type { ScannedFile } from '../../../packages/modules/io/scan/read-modules.ts';

export const matchOutcomes = ['differs', 'undecided', 'consistent', 'reproduced'] as const;
export type MatchOutcome = (typeof matchOutcomes)[number];

export interface Matched {
  readonly entry: ScannedFile;
  readonly match: SourceMatch;
  readonly rebuilt: Rebuilt | undefined;
}

export const statesSrcversion = ({ match }: Matched): boolean =>
  match.srcversion.claimed !== undefined;

/** Returns the outcome for a module; a decided rebuild counts more than the comparison of texts. */
export function outcomeOf({ match, rebuilt }: Matched): MatchOutcome {
  return rebuilt === undefined || rebuilt.outcome === 'undecided' ? match.outcome : rebuilt.outcome;
}
