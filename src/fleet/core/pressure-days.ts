/**
 * Minutes in which the host waited for memory or disks, by ten minutes, for two weeks: to compare a watch with the same
 * hours of the days before.
 */
import { daysMax, type Period } from './hits.ts';

const day = 86_400_000;
const slotMilliseconds = 600_000;
const minutesOfSlot = 10;
const slotsMax = ((daysMax + 1) * day) / slotMilliseconds;
/** The part of a period that must have been measured to count. */
const measuredPartMin = 0.9;

export const pressedResources = ['memory', 'io'] as const;
export type PressedResource = (typeof pressedResources)[number];

export interface PressureSlot extends Readonly<Record<PressedResource, number>> {
  /** The time since 1970 in ten minutes. */
  readonly slot: number;
  /** The minutes that were measured; those under pressure are in the other fields. */
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
  const changed = {
    slot,
    measured: Math.min(minutesOfSlot, found.measured + 1),
    memory: found.memory + Number(pressed.memory),
    io: found.io + Number(pressed.io),
  };
  const others = slots.filter((each) => each.slot !== slot && each.slot > slot - slotsMax);
  return [...others, changed].slice(-slotsMax);
}

const emptySlot = (slot: number): PressureSlot => ({ slot, measured: 0, memory: 0, io: 0 });

/** Returns the minutes under pressure in the same hours of each earlier day that was measured. */
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
    days.push(found.reduce((sum, each) => sum + (each?.[resource] ?? 0), 0));
  }
  return days;
}
