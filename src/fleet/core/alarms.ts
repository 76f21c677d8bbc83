/** What the administrator hears about a fleet without asking. */
import type { FleetResponse } from '../../agent/api/fleet-api.ts';
import type { Alarm } from '../../agent/part.ts';

const about = 'fleet';

/** Returns the alarm for a state; undefined if there is nothing wrong. */
export function alarmOf(response: FleetResponse): Alarm | undefined {
  const { state, release, ended, newestGeneration } = response;
  const sentences = (reasons: readonly string[]) => reasons.map((each) => `${each}.`).join('\n');
  switch (state) {
    case 'rolled back':
      return {
        about,
        title: `generation ${ended?.generation} of the fleet was rolled back`,
        text: `${sentences(ended?.reasons ?? [])}\n${inForce(response)}`,
      };
    case 'refused':
      return {
        about,
        title: `generation ${ended?.generation} of the fleet was refused`,
        text: `${sentences(ended?.reasons ?? [])}\n${inForce(response)}`,
      };
    case 'unclear':
      return {
        about,
        title: `nobody knows whether generation ${release?.generation} of the fleet harms tenants`,
        text: `${sentences(release?.reasons ?? [])}\nRun "bulkhead fleet keep" or "bulkhead fleet back".`,
      };
    case 'frozen':
      return {
        about,
        title: 'the fleet is frozen',
        text: `No release has come for a day, or generation ${newestGeneration} has expired.\n${inForce(response)}`,
      };
    case 'unsupported version':
      return {
        about,
        title: 'the fleet needs a newer Bulkhead',
        text: `A release was handed over that this version does not understand.\n${inForce(response)}`,
      };
    case 'unknown':
      return {
        about,
        title: 'the record of the fleet cannot be read',
        text: sentences(response.problems),
      };
    case 'none':
    case 'new':
    case 'checking':
    case 'applying':
    case 'watching':
    case 'healthy':
    case 'confirmed':
    case 'going back':
    case 'held':
      return undefined;
  }
}

const inForce = ({ release }: FleetResponse): string =>
  release === undefined
    ? 'Only the policy of the host itself is in force.'
    : `Generation ${release.generation} is in force.`;
