/** Waits until the agent has decided about a release. */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatProblem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import { briefly, callAgent, type AgentFailure, type Query } from '../../../agent/api/client.ts';
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import { printError, sayItWaits } from '../../../cli/shared/output.ts';
import type { Paths } from '../../../host/paths.ts';
import { isRelease, type ReleaseId } from '../../core/states.ts';
import { describeRelease } from './describe.ts';
import type { FleetAcceptJson } from './json.ts';

const pollMilliseconds = 1_000;
const retryMilliseconds = 2_000;
/** How long the agent may take to read the policy that `fleet join` has written. */
const joinMilliseconds = 120_000;
const tellMilliseconds = 60_000;

/** Returns what became of a release so far. */
export function outcomeOf(response: FleetResponse, asked: ReleaseId): FleetAcceptJson {
  const { release, ended } = response;
  const { generation } = asked;
  const why = (reasons: readonly string[]) => ({ reason: reasons.join('; ') });
  if (release !== undefined && isRelease(release, asked)) {
    if (release.phase === 'healthy' || release.phase === 'confirmed')
      return { ...response, generation, outcome: 'healthy' };
    if (release.phase === 'unclear')
      return { ...response, generation, outcome: 'unclear', ...why(release.reasons) };
    return { ...response, generation, outcome: 'under way' };
  }
  if (ended !== undefined && isRelease(ended, asked)) {
    return { ...response, generation, outcome: ended.outcome, ...why(ended.reasons) };
  }
  return {
    ...response,
    generation,
    outcome: 'failed',
    reason: `Generation ${generation} is not in force any more: another one came, or the host left its fleet`,
  };
}

/**
 * Hands a release to the agent, again if it starts, is busy, or has not read yet that this host has joined. Returns its
 * last answer once the time is over.
 */
export async function handOver(
  paths: Paths,
  bundle: string,
  query: Query,
  milliseconds: number,
): Promise<Result<FleetResponse, AgentFailure>> {
  const start = performance.now();
  let told = '';
  for (;;) {
    const asked = await callAgent<FleetResponse>(paths, '/v1/fleet/release', query, {
      method: 'POST',
      body: bundle,
      onSlow: sayItWaits,
    });
    if (asked.ok) return asked;
    const patience = patienceWith(asked.error.status, milliseconds);
    if (performance.now() - start + retryMilliseconds > patience) return asked;
    const reason = formatProblem(asked.error);
    if (reason !== told) printError(`${reason}; trying again`);
    told = reason;
    await sleep(retryMilliseconds);
  }
}

function patienceWith(status: number | undefined, milliseconds: number): number {
  if (status === 404) return Math.min(joinMilliseconds, milliseconds);
  return status === 409 || status === 429 || status === 503 ? milliseconds : 0;
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
