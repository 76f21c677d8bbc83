/** How far the history was pushed. The history itself is the buffer: the agent keeps it for longer than a day. */
import { isObject } from '../../../packages/base/json.ts';
import { windowMilliseconds } from '../../usage/push/window.ts';
import type { Dropped } from './window-series.ts';

/** How a server wants requests compressed. */
export type Compression = 'zstd' | 'snappy';

export interface PushState {
  /** The end of the last window that was pushed or dropped, in milliseconds since 1970. */
  readonly until: number;
  readonly dropped: Dropped;
  /** The server that has accepted something; absent until one has. */
  readonly accepted?: { readonly url: string; readonly compression: Compression };
}

/** Ticks that have ended are stored within this time. */
const settleMilliseconds = 30_000;
const windowsMax = 86_400_000 / windowMilliseconds;

/** Returns what is to be pushed now: the state without what is too old, and the beginnings of windows. */
export function due(
  state: PushState | undefined,
  now: number,
): { readonly state: PushState; readonly windows: readonly number[] } {
  const end = floor(now - settleMilliseconds);
  const known = state ?? { until: end - windowMilliseconds, dropped: { old: 0, refused: 0 } };
  // A clock that was set back must not stop it until that time comes again.
  const until = known.until > end + windowMilliseconds ? end : known.until;
  const count = Math.max(0, (end - until) / windowMilliseconds);
  const old = Math.max(0, count - windowsMax);
  const first = until + old * windowMilliseconds;
  return {
    state: { ...known, until: first, dropped: add(known.dropped, 'old', old) },
    windows: Array.from({ length: count - old }, (_, each) => first + each * windowMilliseconds),
  };
}

const floor = (at: number) => Math.floor(at / windowMilliseconds) * windowMilliseconds;

const add = (dropped: Dropped, reason: keyof Dropped, count: number): Dropped => ({
  ...dropped,
  [reason]: dropped[reason] + count,
});

/** Returns the state after a window. */
export const after = (
  state: PushState,
  from: number,
  outcome: keyof Dropped | Required<PushState>['accepted'],
): PushState => ({
  ...state,
  until: from + windowMilliseconds,
  ...(typeof outcome === 'string'
    ? { dropped: add(state.dropped, outcome, 1) }
    : { accepted: outcome }),
});

/** Reads a state; undefined if it is damaged. */
export function parsePushState(text: string): PushState | undefined {
  try {
    const state: unknown = JSON.parse(text);
    return isState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

function isState(state: unknown): state is PushState {
  if (!isObject(state)) return false;
  const { until, dropped, accepted } = state as Partial<Record<keyof PushState, unknown>>;
  return (
    isCount(until) &&
    until % windowMilliseconds === 0 &&
    isObject(dropped) &&
    'old' in dropped &&
    isCount(dropped.old) &&
    'refused' in dropped &&
    isCount(dropped.refused) &&
    (accepted === undefined || isAccepted(accepted))
  );
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

const isAccepted = (value: unknown) =>
  isObject(value) &&
  'url' in value &&
  typeof value.url === 'string' &&
  'compression' in value &&
  (value.compression === 'zstd' || value.compression === 'snappy');
