/** The state of an application, of its socket and its service together. */

/**
 *     running         its program runs
 *     idle            it starts with the next request
 *     failed          its program ended with an error, and starts with the next request
 *     crash loop      it was started too often, and is not for some minutes
 *     tenant stopped  "bulkhead stop" keeps its tenant out
 *     disabled        "bulkhead app disable" keeps it out
 *     not applied     its units are not as the policy says; "bulkhead apply" writes them
 *     unknown         systemd did not answer, or is not the init here
 */
export const appStates = [
  'running',
  'idle',
  'failed',
  'crash loop',
  'tenant stopped',
  'disabled',
  'not applied',
  'unknown',
] as const;
export type AppState = (typeof appStates)[number];

export interface AppFacts {
  readonly isDisabled: boolean;
  readonly isStopped: boolean;
  /** Whether its files are as the policy says. */
  readonly isCurrent: boolean;
  /** Whether it runs without a request: systemd has started it again as often as it may. */
  readonly runsAlways: boolean;
  /** The states of its units for systemd; absent if they are not known. */
  readonly units?: {
    readonly service: string;
    readonly socket: string;
  };
}

export function stateOf(facts: AppFacts): AppState {
  const { isDisabled, isStopped, isCurrent, runsAlways, units } = facts;
  if (isDisabled) return 'disabled';
  if (units === undefined) return 'unknown';
  if (isStopped) return 'tenant stopped';
  if (!isCurrent) return 'not applied';
  const { service, socket } = units;
  if (socket === 'failed' || (runsAlways && service === 'failed')) return 'crash loop';
  if (['active', 'activating', 'reloading', 'deactivating'].includes(service)) return 'running';
  if (socket !== 'active') return 'not applied';
  return service === 'failed' ? 'failed' : 'idle';
}

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
