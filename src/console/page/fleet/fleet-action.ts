/** The words that root can say about the release of this host. */
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import { fleetWords } from './words.ts';

export type FleetAction = 'keep' | 'back' | 'hold' | 'resume';

/** Returns those that the agent would follow now. */
export function actionsOf({ release, hold, state }: FleetResponse): readonly FleetAction[] {
  if (state === 'unknown') return [];
  const canKeep = ['healthy', 'unclear'];
  const canGoBack = ['applying', 'watching', ...canKeep];
  const phase = release?.phase ?? '';
  return [
    ...(canKeep.includes(phase) ? (['keep'] as const) : []),
    ...(canGoBack.includes(phase) ? (['back'] as const) : []),
    'hold',
    ...(hold === undefined ? [] : (['resume'] as const)),
  ];
}

/** Returns the words for what the host goes back to. */
export function confirmedText({ confirmedGeneration }: FleetResponse): string {
  const text = fleetWords.value;
  return confirmedGeneration === undefined ? text.onlyOwn : text.generation(confirmedGeneration);
}
