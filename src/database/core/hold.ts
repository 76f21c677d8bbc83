/**
 * Measures against a tenant that uses more of a database server than its limit.
 *
 * Its clients are frozen while it owes. Where that does not help, since its clients are elsewhere or its statements run
 * without them, the next rung comes on top: fewer connections, and then statements are ended.
 */
import type { HoldMode } from '../../policy/databases/databases-element.ts';
import { charge, savedMicrosecondsMax, type CpuUse } from './bucket.ts';

export const rungs = ['none', 'freeze', 'connections', 'statements'] as const;
export type Rung = (typeof rungs)[number];

export interface HoldUse extends CpuUse {
  /** Whether cgroups of its clients can be frozen; undefined while that is not known. */
  readonly canFreeze: boolean | undefined;
}

export interface Hold {
  readonly balance: number;
  readonly owes: boolean;
  readonly rung: Rung;
  /** Use and time since the rung was last judged. */
  readonly usedMicroseconds: number;
  readonly elapsedMicroseconds: number;
  /** The highest rate of a look before it was held: 1 is one core. */
  readonly freeRate: number;
  /** The time since it owed. */
  readonly quietMicroseconds: number;
  /** The time for which it has owed. */
  readonly owedMicroseconds: number;
  /** How many of its statements are to be ended now. */
  readonly ends: number;
}

export const newHold: Hold = {
  balance: savedMicrosecondsMax,
  owes: false,
  rung: 'none',
  usedMicroseconds: 0,
  elapsedMicroseconds: 0,
  freeRate: 0,
  quietMicroseconds: 0,
  owedMicroseconds: 0,
  ends: 0,
};

const judgeMicroseconds = 10_000_000;
/** A shorter time of debt is a peak, which pausing pays. */
const peakMicroseconds = 1_000_000;
/** A look ends no more of its statements. */
export const endsMax = 64;
/** The next rung would be on and off every few seconds otherwise. */
const releaseMicroseconds = 60_000_000;
/** Freezing helps if it brings use down by a third, or to the limit. */
const helpedFraction = 2 / 3;
const nearLimitFraction = 1.1;
/** The part of its connections that a tenant keeps. */
export const keptConnectionsFraction = 1 / 4;

export function judge(before: Hold, use: HoldUse, mode: HoldMode): Hold {
  const balance = charge(before.balance, use);
  // It owes until its debt is paid in full.
  const owes = balance < 0;
  const elapsed = Math.max(0, finite(use.elapsedMicroseconds));
  const counted = count(before, owes, use, elapsed);
  const next = { ...counted, balance, owes };
  const hold = mode === 'watch' ? watched(next) : climbed(next, use);
  return { ...hold, ends: endsAfter(hold) };
}

/** One at first, and twice as many with each look while it owes: as many as it takes, soon. */
const endsAfter = ({ rung, owes, owedMicroseconds, ends }: Hold): number =>
  rung === 'statements' && owes && owedMicroseconds >= peakMicroseconds
    ? Math.min(endsMax, Math.max(1, 2 * ends))
    : 0;

function count(
  before: Hold,
  owes: boolean,
  { usedMicroseconds: used, rate: ofServers }: HoldUse,
  elapsed: number,
): Hold {
  const spent = finite(used);
  const isHeld = before.rung !== 'none';
  const rate = finite(ofServers ?? (elapsed === 0 || used === undefined ? 0 : spent / elapsed));
  const isStale = !isHeld && before.elapsedMicroseconds >= judgeMicroseconds;
  const fresh = isStale ? 0 : before.freeRate;
  return {
    ...before,
    usedMicroseconds: (isStale ? 0 : before.usedMicroseconds) + spent,
    elapsedMicroseconds: (isStale ? 0 : before.elapsedMicroseconds) + elapsed,
    freeRate: isHeld ? before.freeRate : Math.max(fresh, rate),
    quietMicroseconds: owes ? 0 : before.quietMicroseconds + elapsed,
    owedMicroseconds: owes ? before.owedMicroseconds + elapsed : 0,
  };
}

const finite = (value: number | undefined) =>
  value === undefined || !Number.isFinite(value) ? 0 : value;

/** Nothing is frozen, so nothing can be told about whether freezing helps. */
const watched = (hold: Hold): Hold =>
  hold.owes ? { ...hold, rung: 'freeze' } : { ...hold, rung: 'none' };

function climbed(hold: Hold, { canFreeze, limitFraction }: HoldUse): Hold {
  if (hold.rung === 'none') return hold.owes ? onRung(hold, 'freeze') : hold;
  if (hold.quietMicroseconds >= releaseMicroseconds)
    return { ...onRung(hold, 'none'), freeRate: 0 };
  if (!hold.owes) return hold;
  if (hold.rung === 'freeze' && canFreeze === false) return onRung(hold, 'connections');
  if (hold.elapsedMicroseconds < judgeMicroseconds) return hold;
  const rate = hold.usedMicroseconds / hold.elapsedMicroseconds;
  const helped =
    rate <= Math.max(limitFraction * nearLimitFraction, hold.freeRate * helpedFraction);
  return onRung(hold, helped ? hold.rung : above(hold.rung));
}

const above = (rung: Rung): Rung => rungs[rungs.indexOf(rung) + 1] ?? rung;

const onRung = (hold: Hold, rung: Rung): Hold => ({
  ...hold,
  rung,
  usedMicroseconds: 0,
  elapsedMicroseconds: 0,
});
