/** Waits until the agent has decided about a release. */
import { setTimeout as sleep } from 'node:timers/promises';
import { briefly, callAgent } from '../../../agent/api/client.ts';
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import { printError } from '../../../cli/shared/output.ts';
import type { Paths } from '../../../host/paths.ts';
import { describeRelease } from './describe.ts';
import type { FleetAcceptJson } from './json.ts';

const pollMilliseconds = 1_000;
const tellMilliseconds = 60_000;

interface ReleaseId {
  readonly trust: number;
  readonly generation: number;
}

/** Returns what became of a release so far. */
export function outcomeOf(response: FleetResponse, asked: ReleaseId): FleetAcceptJson {
  const { release, ended } = response;
  const { generation } = asked;
  const is = (each: ReleaseId | undefined) =>
    each?.trust === asked.trust && each.generation === generation;
  const why = (reasons: readonly string[]) => ({ reason: reasons.join('; ') });
  if (release !== undefined && is(release)) {
    if (release.phase === 'healthy' || release.phase === 'confirmed')
      return { ...response, generation, outcome: 'healthy' };
    if (release.phase === 'unclear')
      return { ...response, generation, outcome: 'unclear', ...why(release.reasons) };
    return { ...response, generation, outcome: 'under way' };
  }
  if (ended !== undefined && is(ended)) {
    const outcome = ended.outcome === 'rolled back' ? 'rolled back' : 'refused';
    return { ...response, generation, outcome, ...why(ended.reasons) };
  }
  return {
    ...response,
    generation,
    outcome: 'failed',
    reason: `Generation ${generation} is not in force any more: another one came, or the host left its fleet`,
  };
}

/** Asks until there is a result, the time is over, or somebody presses Ctrl-C. */
export async function waitForRelease(
  paths: Paths,
  asked: ReleaseId,
  first: FleetResponse,
  milliseconds: number,
): Promise<FleetAcceptJson> {
  const ended = new AbortController();
  const onSignal = () => ended.abort();
  process.once('SIGINT', onSignal);
  const until = performance.now() + milliseconds;
  const progress = new Progress();
  let last = first;
  try {
    for (;;) {
      const result = outcomeOf(last, asked);
      if (result.outcome !== 'under way') return result;
      progress.tell(last);
      const left = until - performance.now();
      if (left <= 0 || ended.signal.aborted) return result;
      await sleep(Math.min(pollMilliseconds, left), undefined, { signal: ended.signal }).catch(
        () => undefined,
      );
      // An agent that is started anew answers later; the next one goes on where it was.
      const now = await callAgent<FleetResponse>(paths, '/v1/fleet', {}, briefly);
      if (now.ok) last = now.value;
    }
  } finally {
    process.off('SIGINT', onSignal);
  }
}

/** Prints a line when something changes, and once a minute. */
class Progress {
  #phase = '';
  #toldAt = 0;

  tell({ release }: FleetResponse): void {
    if (release === undefined) return;
    const isSoon = performance.now() - this.#toldAt < tellMilliseconds;
    if (release.phase === this.#phase && isSoon) return;
    this.#phase = release.phase;
    this.#toldAt = performance.now();
    printError(describeRelease(release));
  }
}
