/**
 * Minutes in which the host waited for memory or disks, by ten minutes, for two weeks: to compare a watch with the same
 * hours of the days before.
 *
 * Such minutes come in runs: one backup makes thirty. Only runs are independent of each other, as the comparison needs.
 */
import { daysMax, type Period } from './hits.ts';

const day = 86_400_000;
const minuteMilliseconds = 60_000;
const minutesOfSlot = 10;
const slotMilliseconds = minutesOfSlot * minuteMilliseconds;
const slotsMax = ((daysMax + 1) * day) / slotMilliseconds;
/** The part of a period that must have been measured to count. */
const measuredPartMin = 0.9;

export const pressedResources = ['memory', 'io'] as const;
export type PressedResource = (typeof pressedResources)[number];

/** Minutes further apart than these belong to two runs. */
export const runGapMinutesMax = 3;

export interface PressureSlot extends Readonly<Record<PressedResource, number>> {
  /** The time since 1970 in ten minutes. */
  readonly slot: number;
  /** The number of minutes that were measured. The other fields have a bit for each minute under pressure. */
  readonly measured: number;
}

/** Adds a measured minute that has ended; a clock that was set back begins no list anew. */
export function addMinute(
  slots: readonly PressureSlot[],
  at: number,
  pressed: Readonly<Record<PressedResource, boolean>>,
): readonly PressureSlot[] {
  const slot = Math.floor(at / slotMilliseconds);
  const found = slots.find((each) => each.slot === slot) ?? emptySlot(slot);
  const bit = 1 << (Math.floor(at / minuteMilliseconds) % minutesOfSlot);
  const changed = {
    slot,
    measured: Math.min(minutesOfSlot, found.measured + 1),
    memory: found.memory | (pressed.memory ? bit : 0),
    io: found.io | (pressed.io ? bit : 0),
  };
  const others = slots.filter((each) => each.slot !== slot && each.slot > slot - slotsMax);
  return [...others, changed].slice(-slotsMax);
}

const emptySlot = (slot: number): PressureSlot => ({ slot, measured: 0, memory: 0, io: 0 });

/** Returns the runs of minutes under pressure in the same hours of each earlier day that was measured. */
export function pressedDays(
  slots: readonly PressureSlot[],
  { from, to }: Period,
  resource: PressedResource,
): readonly number[] {
  const bySlot = new Map(slots.map((each) => [each.slot, each]));
  const days: number[] = [];
  for (let back = 1; back <= daysMax; back++) {
    const first = Math.floor((from - back * day) / slotMilliseconds);
    const last = Math.ceil((to - back * day) / slotMilliseconds);
    const found = Array.from({ length: last - first }, (_, each) => bySlot.get(first + each));
    const measured = found.reduce((sum, each) => sum + (each?.measured ?? 0), 0);
    if (measured < measuredPartMin * minutesOfSlot * found.length) continue;
    days.push(
      runsOf(found.flatMap((each) => (each === undefined ? [] : minutesIn(each, resource)))),
    );
  }
  return days;
}

const minutesIn = (each: PressureSlot, resource: PressedResource): readonly number[] =>
  Array.from({ length: minutesOfSlot }, (_, minute) => minute)
    .filter((minute) => (each[resource] & (1 << minute)) !== 0)
    .map((minute) => each.slot * minutesOfSlot + minute);

/** Returns the number of runs among ascending minutes. */
const runsOf = (minutes: readonly number[]): number =>
  minutes.filter((each, index) => each - (minutes[index - 1] ?? -Infinity) > runGapMinutesMax)
    .length;
