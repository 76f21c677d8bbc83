/**
 * The states of a release on a host. Everything here is pure; `io/` keeps the state on disk before it acts.
 *
 *     new ─▶ checking ─▶ applying ─▶ watching ─▶ healthy ─▶ confirmed
 *                │           │           ├─▶ unclear ─▶ confirmed, by people
 *                ▼           ▼           ▼
 *             refused      (going back) ─▶ rolled back
 *
 * A host goes back to its own last confirmed release, never to one by its number: that one may have been refused. What is
 * healthy here is not confirmed: other hosts may have failed. People or the centre confirm, or a day without either.
 */
import type { ReleaseHead } from './documents.ts';
import type { Verdict } from './gate.ts';
import type { HostRollout } from './rollout/record.ts';
import {
  markStopwatch,
  secondsOf,
  startStopwatch,
  type BootMoment,
  type Stopwatch,
} from './stopwatch.ts';

/** How long a healthy release waits until it counts as confirmed. */
export const confirmSeconds = 86_400;
/** How often a watch begins anew because too little was measured. */
const roundsMax = 3;
/** How often an agent may find a release on which it, or the host, ended. */
const triesMax = 2;

/**
 *     applying     it is written, and may be in force
 *     watching     it is in force, and the gate judges it
 *     unclear      the gate could not measure enough; people decide
 *     healthy      the gate has passed it
 *     confirmed    hosts may go back to it
 *     going back   the confirmed one is being put in force again
 */
export const phases = [
  'applying',
  'watching',
  'unclear',
  'healthy',
  'confirmed',
  'going back',
] as const;
export type Phase = (typeof phases)[number];

/** A release: numbers of generations begin anew with a new trust. */
export interface ReleaseId {
  readonly trust: number;
  readonly generation: number;
}

/** The release in force. */
export interface Current {
  readonly release: ReleaseId;
  readonly phase: Phase;
  /** Milliseconds since 1970, for people only. */
  readonly since: number;
  /** The time in this phase. */
  readonly watch: Stopwatch;
  readonly watchSeconds: number;
  /** How many agents have tried it. It is on disk before the release is read. */
  readonly tries: number;
  /** How many watches of it were too little measured. */
  readonly rounds: number;
  /** The problems of the policy that were there before it. */
  readonly known: readonly string[];
  /** The processes that were outside their cgroups before it; absent: that could not be found out. */
  readonly outside?: readonly string[];
  /** Why it is unclear, or goes back; what the gate is without. */
  readonly reasons: readonly string[];
}

export const endings = ['refused', 'rolled back'] as const;

/** The last release that did not stay in force. */
export interface Ending {
  readonly release: ReleaseId;
  readonly outcome: (typeof endings)[number];
  readonly reasons: readonly string[];
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Root's word that nothing may change for a time. */
export interface Hold {
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly seconds: number;
  readonly watch: Stopwatch;
}

export interface HostState {
  readonly format: 1;
  readonly fleet: string;
  readonly host: string;
  /** The newest head ever verified here, in force or not. An older one is never taken. */
  readonly newest?: ReleaseHead;
  /** The id of the trust that root had given the host by then: with another one, that head means nothing. */
  readonly given?: string;
  /** The time since a signed document was handed over last. */
  readonly heard: Stopwatch;
  /** Absent: no release is in force. */
  readonly current?: Current;
  /** The release to go back to; absent: none, only the host's own policy. */
  readonly confirmed?: ReleaseId;
  readonly ended?: Ending;
  readonly hold?: Hold;
  /** Whether the trust lists controllers; then nothing begins, and time confirms nothing, without them. */
  readonly isLed?: boolean;
  /** The time since the trust lists controllers; absent: it lists none, or an older version has kept the state. */
  readonly led?: Stopwatch;
  /** The last word of a controller. */
  readonly rollout?: HostRollout;
  /** The time since a record began a release. */
  readonly opened?: Stopwatch;
  /** Whether the agent ended as it was told to. */
  readonly isStopped: boolean;
}

export interface Now extends BootMoment {
  /** Milliseconds since 1970. */
  readonly at: number;
}

export const idOf = ({ trust, generation }: ReleaseId): ReleaseId => ({ trust, generation });

export const isRelease = (a: ReleaseId | undefined, b: ReleaseId | undefined): boolean =>
  a?.trust === b?.trust && a?.generation === b?.generation;

export const newState = (fleet: string, host: string, now: Now): HostState => ({
  format: 1,
  fleet,
  host,
  heard: startStopwatch(now),
  isStopped: true,
});

/** Whether a release is in a phase that must end before another one may begin. */
export const isBusy = ({ current }: HostState): boolean =>
  current !== undefined && ['applying', 'watching', 'going back'].includes(current.phase);

/** Whether people or the centre can still say `back`. */
export const canGoBack = ({ current }: HostState): boolean =>
  current !== undefined && ['applying', 'watching', 'unclear', 'healthy'].includes(current.phase);

export const canKeep = ({ current }: HostState): boolean =>
  current?.phase === 'healthy' || current?.phase === 'unclear';

export const holdSeconds = (hold: Hold, now: BootMoment): number =>
  Math.max(0, Math.ceil(hold.seconds - secondsOf(hold.watch, now)));

export const isHeld = ({ hold }: HostState, now: BootMoment): boolean =>
  hold !== undefined && holdSeconds(hold, now) > 0;

/** Notes a head that was verified, whatever becomes of its release. Another trust from root ends what controllers said. */
export function heardOf(
  { rollout, led, ...state }: HostState,
  { newest, given, isLed }: Pick<Required<HostState>, 'newest' | 'given' | 'isLed'>,
  now: Now,
): HostState {
  // Also without controllers: if they come back, older records must not count again.
  const isKept = rollout?.given === given;
  return {
    ...state,
    ...(isKept && { rollout }),
    ...(isLed && { led: (state.given === given ? led : undefined) ?? startStopwatch(now) }),
    newest,
    given,
    isLed,
    heard: startStopwatch(now),
  };
}

/** Begins with a release: this is on disk before anything reads its policy. */
export const begun = (
  state: HostState,
  release: ReleaseId,
  {
    watchSeconds,
    known = [],
  }: { readonly watchSeconds: number; readonly known?: readonly string[] },
  now: Now,
): HostState => ({
  ...state,
  current: { ...fresh('applying', now), release, watchSeconds, known },
});

/** Notes that a release stays away, and why; the one in force stays. The same again is nothing new. */
export const endedBy = (
  state: HostState,
  release: ReleaseId,
  outcome: Ending['outcome'],
  reasons: readonly string[],
  now: Now,
): HostState => {
  const ended: Ending = { release, outcome, reasons: bounded(reasons), at: now.at };
  return isSameEnding(state.ended, ended) ? state : { ...state, ended };
};

const isSameEnding = (before: Ending | undefined, { release, outcome, reasons }: Ending): boolean =>
  before?.outcome === outcome &&
  isRelease(before.release, release) &&
  before.reasons.length === reasons.length &&
  before.reasons.every((each, index) => each === reasons[index]);

const reasonsMax = 20;
const reasonLengthMax = 500;

/** Shortens sentences that may quote a release, and lists of them: the state must stay readable. */
const bounded = (reasons: readonly string[]): readonly string[] =>
  reasons
    .slice(0, reasonsMax)
    .map((each) =>
      each.length > reasonLengthMax ? `${each.slice(0, reasonLengthMax).toWellFormed()}…` : each,
    );

/** Begins the watch: the release is applied. */
export const watching = (state: HostState, now: Now): HostState =>
  state.current?.phase === 'applying' ? inPhase(state, 'watching', now) : state;

/** Follows the gate. */
export function judged(state: HostState, verdict: Verdict, now: Now): HostState {
  const { current } = state;
  if (current?.phase !== 'watching' && current?.phase !== 'applying') return state;
  switch (verdict.kind) {
    case 'watching':
      return state;
    case 'fail':
      return goingBack(state, verdict.reasons, now);
    case 'pass':
      return inPhase(state, 'healthy', now, {
        reasons: verdict.without.map((each) => `Not measured here: ${each}`),
      });
    case 'unclear': {
      const rounds = current.rounds + 1;
      const { reasons } = verdict;
      return inPhase(state, rounds < roundsMax ? 'watching' : 'unclear', now, { rounds, reasons });
    }
  }
}

/** Goes back, because the gate failed, or somebody says so. */
export const goingBack = (state: HostState, reasons: readonly string[], now: Now): HostState =>
  canGoBack(state) ? inPhase(state, 'going back', now, { reasons }) : state;

/** Ends going back: the confirmed release is in force again, or none. */
export function wentBack(state: HostState, now: Now): HostState {
  const { current, confirmed, ...rest } = state;
  if (current?.phase !== 'going back') return state;
  const ended = endedBy(rest, current.release, 'rolled back', current.reasons, now);
  if (confirmed === undefined) return ended;
  return {
    ...ended,
    confirmed,
    current: {
      ...fresh('confirmed', now),
      release: confirmed,
      watchSeconds: 0,
      known: [],
    },
  };
}

/** Forgets a release that is in force no longer, and was not confirmed. It may be taken again. */
export function dropped(state: HostState, reason: string, now: Now): HostState {
  const { ended, ...back } = wentBack(goingBack(state, [reason], now), now);
  return ended === undefined ? back : { ...back, ended: { ...ended, outcome: 'refused' } };
}

/** Confirms a release: this is what the host goes back to from now on. */
export function kept(state: HostState, now: Now): HostState {
  const { current } = state;
  if (current === undefined || !canKeep(state)) return state;
  return { ...inPhase(state, 'confirmed', now), confirmed: current.release };
}

/** Lets time pass: a day confirms what is healthy, if no controller does, and a hold ends. */
export function passed(state: HostState, now: Now): HostState {
  const { hold, ...free } = state;
  const next: HostState = hold !== undefined && holdSeconds(hold, now) === 0 ? free : state;
  const { current } = next;
  const isDue =
    next.isLed !== true &&
    current?.phase === 'healthy' &&
    secondsOf(current.watch, now) >= confirmSeconds;
  return isDue ? kept(next, now) : next;
}

/**
 * Follows the start of an agent. Agents that were told to end, for an upgrade or by the administrator, leave a watch to
 * the next one, which begins it anew. Other ends count against the release.
 */
export function started(state: HostState, now: Now): HostState {
  const running: HostState = { ...state, isStopped: false };
  const { current } = running;
  if (current === undefined || state.isStopped) return restarted(running, now);
  const isSameBoot = current.watch.boot === now.boot;
  if (current.phase === 'watching' && isSameBoot)
    return goingBack(running, ['The agent ended during the watch without being stopped'], now);
  if (!canGoBack(running)) return running;
  if (current.tries >= triesMax)
    return goingBack(running, [`The agent or the host ended ${current.tries} times on it`], now);
  return restarted({ ...running, current: { ...current, tries: current.tries + 1 } }, now);
}

/** A watch that was interrupted begins anew. */
const restarted = (state: HostState, now: Now): HostState =>
  state.current?.phase === 'watching' ? inPhase(state, 'watching', now) : state;

/** Returns the state as it is to be kept: stopwatches lose nothing when the host starts anew. */
export function marked(state: HostState, now: Now): HostState {
  const { current, hold, heard, rollout, opened, led } = state;
  return {
    ...state,
    heard: markStopwatch(heard, now),
    ...(rollout && { rollout: { ...rollout, heard: markStopwatch(rollout.heard, now) } }),
    ...(opened && { opened: markStopwatch(opened, now) }),
    ...(led && { led: markStopwatch(led, now) }),
    ...(current && { current: { ...current, watch: markStopwatch(current.watch, now) } }),
    ...(hold && { hold: { ...hold, watch: markStopwatch(hold.watch, now) } }),
  };
}

export const held = (state: HostState, seconds: number, reason: string, now: Now): HostState => ({
  ...state,
  hold: { reason, seconds, since: now.at, watch: startStopwatch(now) },
});

export function resumed({ hold: _hold, ...state }: HostState): HostState {
  return state;
}

const entered = (phase: Phase, now: Now) => ({ phase, since: now.at, watch: startStopwatch(now) });

const fresh = (phase: Phase, now: Now) => ({
  ...entered(phase, now),
  tries: 1,
  rounds: 0,
  reasons: [],
});

function inPhase(
  state: HostState,
  phase: Phase,
  now: Now,
  more: Partial<Pick<Current, 'reasons' | 'rounds'>> = {},
): HostState {
  const { current } = state;
  if (current === undefined) return state;
  const reasons = bounded(more.reasons ?? current.reasons);
  return { ...state, current: { ...current, ...entered(phase, now), ...more, reasons } };
}
