/**
 * The judgement of a controller about the open waves, by what their hosts say:
 *
 *     fail      more hosts of a wave failed than people allow; in the first wave any: all go back
 *     pass      enough are healthy, and the others are few enough to be left behind
 *     unclear   the time is over, and it is neither: people decide
 *
 * An unknown answer never counts as good.
 */
import type { FleetState } from '../../../agent/api/fleet-api.ts';
import { count } from '../../../../packages/base/list.ts';
import type { ReleaseHead } from '../documents.ts';
import type { RolloutStatus } from './centre.ts';
import { isAbout, type RolloutPlan } from './plan.ts';
import type { RolloutRecord } from './record.ts';
import type { RolloutWord } from './steps.ts';

/** Hosts of a wave, by what became of the release there. */
export interface WaveCount {
  /** The number of the wave, from 1 on. */
  readonly wave: number;
  readonly hosts: number;
  readonly healthy: number;
  /** Hosts that refused it, or went back. */
  readonly failed: number;
  /** Hosts that have said nothing for a time, that root holds, or whose watch was unclear. */
  readonly silent: number;
  /** The others: the release has not come, or is still being judged. */
  readonly pending: number;
}

export interface RolloutTimes {
  /** The time without a status after which a host is silent; one comes each minute. */
  readonly silentMilliseconds: number;
  /** The time for silent hosts to come back, after the watch of a wave. */
  readonly silentGraceMilliseconds: number;
  /** The time for hosts that begin late, or watch again, after three watches. */
  readonly pendingGraceMilliseconds: number;
}

export const rolloutTimes: RolloutTimes = {
  silentMilliseconds: 3 * 60_000 + 30_000,
  silentGraceMilliseconds: 15 * 60_000,
  // A host begins at most one release an hour.
  pendingGraceMilliseconds: 2 * 3_600_000,
};

/** A host watches up to three times. */
const watchesMax = 3;

type Outcome = 'healthy' | 'failed' | 'silent' | 'pending';

const outcomes: Readonly<Partial<Record<FleetState, Outcome>>> = {
  healthy: 'healthy',
  confirmed: 'healthy',
  refused: 'failed',
  'rolled back': 'failed',
  'going back': 'failed',
  held: 'silent',
  unclear: 'silent',
  none: 'silent',
  'unsupported version': 'silent',
  unknown: 'silent',
};

/** The hosts as the controller knows them, and the time. */
export interface Seen {
  readonly statuses: ReadonlyMap<string, RolloutStatus>;
  /** The clock of the centre, in milliseconds since 1970. */
  readonly now: number;
  readonly times: RolloutTimes;
}

function outcomeOf(
  status: RolloutStatus | undefined,
  { generation, root }: ReleaseHead,
  { now, times }: Seen,
): Outcome {
  if (status === undefined) return 'silent';
  const outcome = outcomes[status.state] ?? 'pending';
  // Numbers may begin anew: on another release, it has not seen this one.
  const isThis = status.newest === generation && status.root === root;
  // A host that failed, and says nothing since then, has failed.
  if (outcome === 'failed' && isThis) return 'failed';
  if (now - status.receivedAt > times.silentMilliseconds) return 'silent';
  if (outcome === 'healthy' && isThis && status.generation === generation) return 'healthy';
  return outcome === 'silent' ? 'silent' : 'pending';
}

export function countWave({ waves, head }: RolloutPlan, wave: number, seen: Seen): WaveCount {
  const hosts = waves[wave - 1] ?? [];
  const counted = { healthy: 0, failed: 0, silent: 0, pending: 0 };
  for (const host of hosts) counted[outcomeOf(seen.statuses.get(host), head, seen)] += 1;
  return { wave, hosts: hosts.length, ...counted };
}

/** `watching`: not all hosts have decided. */
export type WaveVerdict = 'passed' | 'failed' | 'unclear' | 'watching';

/** Judges a wave. Hosts of a wave that has passed before must have stayed healthy, but for those left behind. */
export function judgeWave(plan: RolloutPlan, counted: WaveCount, isNewest: boolean): WaveVerdict {
  const { hosts, healthy, failed, silent, pending, wave } = counted;
  if (failed > failedMax(plan, wave, hosts)) return 'failed';
  const unknown = isNewest ? silent : silent + pending;
  if (unknown > part(plan.head.silent, hosts)) return 'unclear';
  if (isNewest && pending > 0) return 'watching';
  return healthy > 0 ? 'passed' : 'unclear';
}

/** Whole hosts: 0.29 × 100 is a little less than 29. */
const part = (fraction: number, hosts: number) => Math.floor(fraction * hosts + 1e-9);

const failedMax = ({ head, waves }: RolloutPlan, wave: number, hosts: number): number =>
  wave === waves.findIndex((each) => each.length > 0) + 1 ? 0 : part(head.failed, hosts);

/** The word of a controller, and its reason. */
export interface Decision {
  readonly word: Extract<RolloutWord, 'next' | 'pause' | 'back'>;
  readonly reason: string;
}

/** The times since which hosts have theirs, in milliseconds since 1970. */
export interface Since {
  /** The time when the wave was opened, as the record says. */
  readonly opened: number;
  /** The time since when the controller hears the hosts: those that spoke to nobody before are not silent. */
  readonly listens: number;
}

/** Returns the word of a controller; undefined: nothing yet. */
export function decide(
  plan: RolloutPlan,
  last: RolloutRecord,
  seen: Seen,
  since: Since,
): Decision | undefined {
  const isOpen = last.verdict === 'go';
  if (!isOpen && last.verdict !== 'hold') return undefined;
  if (!isAbout(plan, last))
    return isOpen && !isOlder(plan, last)
      ? { word: 'pause', reason: replaced(plan, last) }
      : undefined;
  const waves = judgedWaves(plan, last.wave, seen);
  const failing = waves.find(({ verdict }) => verdict === 'failed');
  if (failing !== undefined) return { word: 'back', reason: failure(plan, failing.counted) };
  // Whoever paused it has the next word.
  if (!isOpen) return undefined;
  const unsure = waves.find(({ verdict }) => verdict !== 'passed');
  if (unsure === undefined) return { word: 'next', reason: '' };
  const hasListened = seen.now >= since.listens + seen.times.silentGraceMilliseconds;
  return hasListened && isOver(plan, since.opened, unsure.verdict, seen)
    ? { word: 'pause', reason: unclearness(plan, unsure.counted) }
    : undefined;
}

/** Another centre has a later release: this one cannot judge it. */
const isOlder = ({ head }: RolloutPlan, { release }: RolloutRecord): boolean =>
  (head.trust - release.trust || head.generation - release.generation) < 0;

interface JudgedWave {
  readonly counted: WaveCount;
  readonly verdict: WaveVerdict;
}

/** All open waves that have hosts, the first one first. */
export const judgedWaves = (plan: RolloutPlan, open: number, seen: Seen): readonly JudgedWave[] =>
  plan.waves.slice(0, open).flatMap((hosts, index) => {
    if (hosts.length === 0) return [];
    const counted = countWave(plan, index + 1, seen);
    return [{ counted, verdict: judgeWave(plan, counted, index + 1 === open) }];
  });

/**
 * Returns whether the time is over in which a wave may still pass. Silent hosts have the time of one watch; those that
 * still judge it have more. `opened` is in milliseconds since 1970.
 */
export function isOver(
  { head }: RolloutPlan,
  opened: number,
  verdict: WaveVerdict,
  { now, times }: Pick<Seen, 'now' | 'times'>,
): boolean {
  const watch = head.watchSeconds * 1000;
  const grace =
    verdict === 'unclear'
      ? watch + times.silentGraceMilliseconds
      : watchesMax * watch + times.pendingGraceMilliseconds;
  return now >= opened + grace;
}

const replaced = ({ head }: RolloutPlan, { release }: RolloutRecord) =>
  `generation ${head.generation} was published while generation ${release.generation} is rolled out`;

const percent = (fraction: number) => `${Number((fraction * 100).toFixed(1))} %`;

const failure = (plan: RolloutPlan, { wave, hosts, failed }: WaveCount) =>
  `wave ${wave}: ${failed} of ${count(hosts, 'host')} failed (${percent(failed / hosts)}), ${
    failedMax(plan, wave, hosts) === 0 ? 'none' : percent(plan.head.failed)
  } allowed`;

const unclearness = ({ head }: RolloutPlan, counted: WaveCount) => {
  const { wave, hosts, healthy, silent, pending } = counted;
  return `wave ${wave}: ${healthy} of ${count(hosts, 'host')} healthy, ${silent} silent (${percent(head.silent)} allowed), ${pending} undecided`;
};
