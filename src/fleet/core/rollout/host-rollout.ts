/**
 * The word of a controller, as a host follows it. Everything here is pure. A host whose trust lists no controllers knows
 * nothing of this.
 *
 * A generation begins at most once, and goes back at most once, whatever records say: a host takes none that it went
 * back from. Besides, records begin at most one release an hour, so that whoever stole a controller's key cannot let a
 * host run through all that people have ever signed.
 */
import type { ReleaseHead } from '../documents.ts';
import {
  canGoBack,
  goingBack,
  idOf,
  isHeld,
  isRelease,
  kept,
  type HostState,
  type Now,
} from '../states.ts';
import { secondsOf, startStopwatch } from '../stopwatch.ts';
import type { HostRollout, RolloutRecord } from './record.ts';

/** How long a record counts, whatever the clock says. */
export const freshSeconds = 86_400;
/** How much time is between two releases that records begin. */
export const paceSeconds = 3600;

/** Notes a record that was verified. The same one again is nothing new. */
export function instructed(
  state: HostState,
  { record, until, given }: Omit<HostRollout, 'heard'>,
  now: Now,
): HostState {
  const before = state.rollout;
  const isSame =
    before?.given === given &&
    before.record.trust === record.trust &&
    before.record.sequence === record.sequence;
  if (isSame) return state;
  const rollout = { record, until, given, heard: startStopwatch(now) };
  return { ...state, isLed: true, rollout };
}

/** Returns the last record, if it still counts. */
export const freshRecord = ({ isLed, rollout }: HostState, now: Now): RolloutRecord | undefined =>
  isLed === true &&
  rollout !== undefined &&
  secondsOf(rollout.heard, now) <= freshSeconds &&
  now.at < rollout.until
    ? rollout.record
    : undefined;

/** Whether no record counts, though the trust has listed controllers for a day. */
export const isLeaderless = (state: HostState, now: Now): boolean =>
  state.isLed === true &&
  freshRecord(state, now) === undefined &&
  (state.led === undefined || secondsOf(state.led, now) > freshSeconds);

/** Returns why a release may not begin yet; undefined if a record has opened its wave. */
export function whyClosed(
  state: HostState,
  head: Pick<ReleaseHead, 'trust' | 'generation' | 'root'>,
  wave: number,
  now: Now,
): string | undefined {
  const record = freshRecord(state, now);
  const { generation } = head;
  if (record === undefined) return `generation ${generation} waits for a record of a controller`;
  if (!isRelease(record.release, idOf(head)) || record.release.root !== head.root)
    return `generation ${generation} waits for its rollout; the last record is about generation ${record.release.generation}`;
  switch (record.verdict) {
    case 'back':
      return `the fleet goes back from generation ${generation}${because(record)}`;
    case 'hold':
      return `the rollout of generation ${generation} is paused${because(record)}`;
    case 'go':
      if (wave > record.wave)
        return `generation ${generation} waits for wave ${wave}, and wave ${record.wave} is open`;
      break;
    case 'keep':
      break;
  }
  const left = state.opened === undefined ? 0 : paceSeconds - secondsOf(state.opened, now);
  return left > 0
    ? `a record began a release here less than an hour ago; generation ${generation} waits ${Math.ceil(left)} s more`
    : undefined;
}

/** Returns why a release may not even begin by root's word: it would go back at once. */
export function whyTakenBack(
  state: HostState,
  head: Pick<ReleaseHead, 'trust' | 'generation' | 'root'>,
  now: Now,
): string | undefined {
  const record = freshRecord(state, now);
  const isBack = record?.verdict === 'back' && record.release.root === head.root;
  return isBack ? whyClosed(state, head, 1, now) : undefined;
}

const because = ({ reason }: RolloutRecord) => (reason === '' ? '' : `: ${reason}`);

/** Notes that a release begins because of a record. The next `go` confirms the one before, if it is healthy. */
export const opened = (state: HostState, now: Now): HostState => ({
  ...(state.current?.phase === 'healthy' ? kept(state, now) : state),
  opened: startStopwatch(now),
});

/** Follows what the last record says of the release in force. Root's hold is stronger. */
export function followed(state: HostState, now: Now): HostState {
  const { current } = state;
  const record = freshRecord(state, now);
  if (record === undefined || current === undefined || isHeld(state, now)) return state;
  if (!isRelease(record.release, current.release) || isOtherRoot(state, record)) return state;
  if (record.verdict === 'back' && canGoBack(state))
    return goingBack(state, [`A controller said so${because(record)}`], now);
  return record.verdict === 'keep' && current.phase === 'healthy' ? kept(state, now) : state;
}

/** Whether it is about another release of the same numbers than the one known here. */
const isOtherRoot = ({ newest }: HostState, { release }: RolloutRecord): boolean =>
  newest !== undefined && isRelease(release, idOf(newest)) && newest.root !== release.root;

/** Whether the newest release waits for its wave. */
export function isWaiting(state: HostState, now: Now): boolean {
  const { isLed, newest, current, ended } = state;
  if (isLed !== true || newest === undefined) return false;
  const isTaken = [current?.release, ended?.release].some((each) => isRelease(each, idOf(newest)));
  const record = freshRecord(state, now);
  const isBack = record?.verdict === 'back' && isRelease(record.release, idOf(newest));
  return !isTaken && !isBack && !isLeaderless(state, now);
}
