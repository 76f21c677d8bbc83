/** The state of an application, of its socket and its service together. */

import type { AppState } from '../../policy/apps/app-state.ts';

export interface AppFacts {
  readonly isDisabled: boolean;
  /** Undefined if this process may not read that. */
  readonly isStopped: boolean | undefined;
  /** Whether its files are as the policy says. */
  readonly isCurrent: boolean;
  /** Whether it runs without a request: systemd has started it again as often as it may. */
  readonly runsAlways: boolean;
  /** The states of its units for systemd; absent if they are not known. */
  readonly units?: {
    readonly service: string;
    readonly socket: string;
    /** The result of a socket that failed, such as `service-start-limit-hit`; absent if it is not known. */
    readonly socketResult?: string;
  };
}

/** Whether systemd has closed the socket since its service was started too often. Source: systemd.socket(5). */
export const isTooOften = (socketResult: string | undefined): boolean =>
  socketResult === undefined || socketResult.endsWith('-limit-hit');

export function stateOf(facts: AppFacts): AppState {
  const { isDisabled, isStopped, isCurrent, runsAlways, units } = facts;
  if (isDisabled) return units !== undefined && isUp(units) ? 'not applied' : 'disabled';
  if (units === undefined) return 'unknown';
  if (isStopped === true) return 'tenant stopped';
  const { service, socket } = units;
  // Its socket is closed, and the reason may be that its tenant is stopped.
  if (isStopped === undefined && socket === 'inactive') return 'unknown';
  if (!isCurrent) return 'not applied';
  if (socket === 'failed' && isTooOften(units.socketResult)) return 'crash loop';
  if (runsAlways && service === 'failed') return 'crash loop';
  if (socket !== 'active') return 'not applied';
  if (runs.has(service)) return 'running';
  return service === 'failed' ? 'failed' : 'idle';
}

const runs: ReadonlySet<string> = new Set(['active', 'activating', 'reloading', 'deactivating']);

const isUp = ({ service, socket }: { readonly service: string; readonly socket: string }) =>
  runs.has(service) || runs.has(socket);

/** The end of a program, as systemd knows it. */
export interface LastEnd {
  readonly code: string;
  readonly status: string;
}

/** Describes it: `ended with status 7`. The launcher passes a signal on as a status above 128. */
export function endText({ code, status }: LastEnd): string | undefined {
  const number = Number(status);
  if (code === '2' || code === '3') return `ended by signal ${number}`;
  if (code !== '1' || !Number.isInteger(number)) return undefined;
  return number > 128 ? `ended by signal ${number - 128}` : `ended with status ${number}`;
}
