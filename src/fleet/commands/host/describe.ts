/** The state of a host in its fleet, in lines for people. */
import { printable } from '../../../../packages/base/printable.ts';
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';

/** Returns what `fleet status` prints. */
export function describeFleet(response: FleetResponse): string {
  const { state, fleet, host, release, ended, hold, newestGeneration, confirmedGeneration } =
    response;
  const { rollout } = response;
  if (fleet === undefined)
    return [
      state === 'unknown' ? 'fleet      unknown' : 'This host is in no fleet.',
      ...response.problems.map((each) => `problem    ${printable(each)}`),
    ].join('\n');
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['fleet', `${fleet}, as ${host}`],
    ['state', state],
    ['in force', release === undefined ? 'only the own policy' : describeRelease(release)],
    ...(release?.reasons ?? []).map((each) => ['', each] as const),
    ['goes back to', confirmedText(confirmedGeneration)],
    ['newest', newestGeneration === undefined ? 'none yet' : `generation ${newestGeneration}`],
    [
      'held',
      hold && `${describeSeconds(hold.secondsLeft)} more${hold.reason && `: ${hold.reason}`}`,
    ],
    ['rollout', rollout && describeRollout(rollout)],
    [
      ended?.outcome ?? '',
      ended && `generation ${ended.generation}, ${new Date(ended.at).toISOString()}`,
    ],
    ...(ended?.reasons ?? []).map((each) => ['', each] as const),
    ...response.problems.map((each) => ['problem', each] as const),
  ];
  return rows
    .filter((row): row is readonly [string, string] => row[1] !== undefined)
    .map(([name, text]) => `${name.padEnd(12)}  ${printable(text)}`.trimEnd())
    .join('\n');
}

function describeRollout(rollout: NonNullable<FleetResponse['rollout']>): string {
  const { generation, verdict, wave, issued, isFresh, reason } = rollout;
  const old = isFresh ? '' : ', which counts no more';
  const why = reason === undefined ? '' : `: ${reason}`;
  return `generation ${generation}: ${verdict}, wave ${wave}, of ${issued}${old}${why}`;
}

const confirmedText = (generation: number | undefined) =>
  generation === undefined ? 'only the own policy' : `generation ${generation}`;

const ends: Readonly<Record<string, string>> = {
  watching: 'of the watch left',
  healthy: 'until it counts as confirmed',
};

export function describeRelease(release: NonNullable<FleetResponse['release']>): string {
  const { generation, phase, secondsLeft } = release;
  const left =
    secondsLeft === undefined ? '' : `, ${describeSeconds(secondsLeft)} ${ends[phase] ?? 'left'}`;
  return `generation ${generation}: ${phase}${left}`;
}

/** Formats a time that is left, rounded up: `30 min`, `45 s`. */
export function describeSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  return `${Math.ceil(minutes / 60)} h`;
}
