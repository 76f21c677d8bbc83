/** The state of a host in its fleet, as the API shows it. */
import type { FleetRelease, FleetResponse, FleetState } from '../../agent/api/fleet-api.ts';
import {
  confirmSeconds,
  holdSeconds,
  isHeld,
  isRelease,
  type Current,
  type HostState,
  type Now,
  type Phase,
} from './states.ts';
import { freshRecord, isLeaderless, isWaiting } from './rollout/host-rollout.ts';
import { secondsOf } from './stopwatch.ts';

/** How long a host with servers may hear nothing. */
export const frozenSeconds = 86_400;

export interface Shown {
  readonly state: HostState | undefined;
  readonly now: Now;
  /** Whether the newest release has expired. */
  readonly hasExpired: boolean;
  readonly isChecking: boolean;
  /** Whether the host's own policy says that it is in this fleet. */
  readonly isMember: boolean;
  /** The servers that the host asks for releases. */
  readonly from: readonly string[];
  /** The words for what its policy may say here. */
  readonly accept?: readonly string[] | undefined;
  /** Whether something newer than this version understands was handed over last. */
  readonly isTooNew: boolean;
  /** Whether the record cannot be read. */
  readonly isBroken: boolean;
  readonly problems: readonly string[];
}

export function responseOf(shown: Shown): FleetResponse {
  const { state, now, problems } = shown;
  if (state === undefined) return { state: shown.isBroken ? 'unknown' : 'none', problems };
  const { fleet, host, current, confirmed, ended, hold, newest } = state;
  const left = hold === undefined ? 0 : holdSeconds(hold, now);
  return {
    state: stateOf(state, shown),
    fleet,
    host,
    ...(shown.from.length > 0 && { from: shown.from }),
    ...(shown.accept && { accept: shown.accept }),
    ...(newest && { heardSecondsAgo: heardSecondsAgo(state, now) }),
    ...(current && { release: releaseOf(current, now) }),
    ...(newest && { newestGeneration: newest.generation }),
    ...(newest && isTaken(state) && { newestRoot: newest.root }),
    ...(confirmed && { confirmedGeneration: confirmed.generation }),
    ...(ended && {
      ended: {
        generation: ended.release.generation,
        trust: ended.release.trust,
        outcome: ended.outcome,
        reasons: ended.reasons,
        at: ended.at,
      },
    }),
    ...(hold &&
      left > 0 && { hold: { reason: hold.reason, since: hold.since, secondsLeft: left } }),
    ...rolloutOf(state, now),
    problems,
  };
}

/** A record of a controller is a document, too. */
function heardSecondsAgo({ heard, rollout }: HostState, now: Now): number {
  const all = [heard, ...(rollout === undefined ? [] : [rollout.heard])];
  return Math.floor(Math.min(...all.map((each) => secondsOf(each, now))));
}

/** Whether the newest release is in force, or has ended here: before, the state is about another one. */
const isTaken = ({ current, ended, newest }: HostState): boolean =>
  [current?.release, ended?.release].some((each) => isRelease(each, newest));

function releaseOf(current: Current, now: Now): FleetRelease {
  const { release, phase, since, watch, watchSeconds, reasons } = current;
  const whole = { watching: watchSeconds, healthy: confirmSeconds }[phase as string];
  return {
    generation: release.generation,
    trust: release.trust,
    phase,
    since,
    ...(whole !== undefined && {
      secondsLeft: Math.max(0, Math.ceil(whole - secondsOf(watch, now))),
    }),
    reasons,
  };
}

function rolloutOf(state: HostState, now: Now): Pick<FleetResponse, 'hasControllers' | 'rollout'> {
  if (state.isLed !== true) return {};
  const { record } = state.rollout ?? {};
  if (record === undefined) return { hasControllers: true };
  const { verdict, wave, reason, issued, release } = record;
  return {
    hasControllers: true,
    rollout: {
      generation: release.generation,
      verdict,
      wave,
      issued,
      isFresh: freshRecord(state, now) !== undefined,
      ...(reason !== '' && { reason }),
    },
  };
}

/** Returns the one word: what is going on counts first, then what keeps anything from going on. */
function stateOf(state: HostState, shown: Shown): FleetState {
  const { current } = state;
  if (!shown.isMember) return 'none';
  if (shown.isChecking) return 'checking';
  if (current !== undefined && underWay.includes(current.phase)) return current.phase;
  if (isHeld(state, shown.now)) return 'held';
  const ended = lastEnding(state);
  if (ended !== undefined) return ended;
  if (isFrozen(state, shown)) return 'frozen';
  // Nobody has signed that, so it hides nothing that is known for certain.
  if (shown.isTooNew) return 'unsupported version';
  return isWaiting(state, shown.now) ? 'waiting' : (current?.phase ?? 'new');
}

const underWay: readonly Phase[] = ['applying', 'watching', 'unclear', 'going back'];

/** Returns what became of the newest release, if it is not in force. */
const lastEnding = ({ ended, newest }: HostState): FleetState | undefined =>
  ended !== undefined && isRelease(ended.release, newest) ? ended.outcome : undefined;

const isFrozen = (state: HostState, { from, hasExpired, now }: Shown): boolean =>
  hasExpired ||
  isLeaderless(state, now) ||
  (from.length > 0 && secondsOf(state.heard, now) > frozenSeconds);
