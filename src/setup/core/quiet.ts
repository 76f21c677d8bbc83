/** The watching layers that have been quiet for long enough to refuse from now on. */
import type { Layer } from '../../../packages/base/layer.ts';
import type { Quiet } from './record.ts';

/** The days without a report before `setup next` raises a layer. */
export const quietDays = 7;

/**
 * Returns since when each watching layer has reported nothing new; `now` is ISO 8601, UTC. Another mark starts anew, also
 * with a lower number: the layer was loaded again.
 */
export function noteReports(
  layers: readonly Layer[],
  quiet: Readonly<Record<string, Quiet>>,
  now: string,
): Readonly<Record<string, Quiet>> {
  const watching = layers.flatMap(({ key, state, reported, mark }) =>
    state === 'watched' && typeof reported === 'number' && mark !== undefined
      ? [[key, reported, mark] as const]
      : [],
  );
  return Object.fromEntries(
    watching.map(([key, reported, mark]) => {
      const before = quiet[key];
      const stands = before?.mark === mark && before.reported === reported;
      return [key, stands ? before : { reported, mark, since: now }];
    }),
  );
}

/** Returns why a layer still has to watch after so many days; undefined if it can refuse from now on. */
export function whyWait(quiet: Quiet, days: number): string | undefined {
  if (days >= quietDays) return undefined;
  const from = quiet.since.slice(0, 10);
  return `${quiet.reported} reported, quiet since ${from}: ${days} of ${quietDays} days`;
}
