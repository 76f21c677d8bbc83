/** The alarms about a fleet: the administrator hears of them without asking. */
import type { FleetResponse, FleetState } from '../../agent/api/fleet-api.ts';
import type { Alarm } from '../../agent/part.ts';

const sentences = (reasons: readonly string[] = []) => reasons.map((each) => `${each}.`).join('\n');

const inForce = ({ release }: FleetResponse): string =>
  release === undefined
    ? 'Only the policy of the host itself is in force.'
    : `Generation ${release.generation} is in force.`;

const endedAs =
  (how: string) =>
  (response: FleetResponse): Text => ({
    title: `generation ${response.ended?.generation} of the fleet was ${how}`,
    text: `${sentences(response.ended?.reasons)}\n${inForce(response)}`,
  });

type Text = Pick<Alarm, 'title' | 'text'>;

/** The states that are wrong, and their texts. */
const texts: Readonly<Partial<Record<FleetState, (response: FleetResponse) => Text>>> = {
  'rolled back': endedAs('rolled back'),
  refused: endedAs('refused'),
  unclear: ({ release }) => ({
    title: `nobody knows whether generation ${release?.generation} of the fleet harms tenants`,
    text: `${sentences(release?.reasons)}\nRun "bulkhead fleet keep" or "bulkhead fleet back".`,
  }),
  frozen: (response) => ({
    title: 'the fleet is frozen',
    text: `No release, or no record of a controller, has come for a day, or generation ${response.newestGeneration} has expired.\n${inForce(response)}`,
  }),
  'unsupported version': (response) => ({
    title: 'the fleet needs a newer Bulkhead',
    text: `A release was handed over that this version does not understand.\n${inForce(response)}`,
  }),
  unknown: ({ problems }) => ({
    title: 'the record of the fleet cannot be read',
    text: sentences(problems),
  }),
};

/** Returns the alarm for a state; undefined if nothing is wrong. */
export function alarmOf(response: FleetResponse): Alarm | undefined {
  const text = texts[response.state];
  return text && { about: 'fleet', ...text(response) };
}
