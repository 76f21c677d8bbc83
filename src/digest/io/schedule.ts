/** The days and weeks of digests, in the time zone of this host. */
import { weekdays, type DigestRule } from '../../policy/settings.ts';

type Schedule = Pick<DigestRule, 'every' | 'day' | 'atMinutes'>;

/** One day or week: messages about it are sent from `to` on. Milliseconds since 1970. */
export interface Slot {
  /** Names it: `day 2026-11-30`. */
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

const hour = 3_600_000;
/** A digest that is later than this, since the host was off, is not sent. */
const lateMax: Readonly<Record<DigestRule['every'], number>> = { day: 12 * hour, week: 72 * hour };

/** Returns the last slot that ended. */
export function lastSlot({ every, day, atMinutes }: Schedule, now: number): Slot {
  const at = (daysAgo: number): Date => {
    const date = new Date(now);
    // Days of 23 and 25 hours, too.
    return new Date(
      date.getFullYear(),
      date.getMonth(),
      date.getDate() - daysAgo,
      Math.floor(atMinutes / 60),
      atMinutes % 60,
    );
  };
  const isEnd = (date: Date) =>
    date.getTime() <= now && (every === 'day' || date.getDay() === weekdays.indexOf(day));
  const ago = [0, 1, 2, 3, 4, 5, 6, 7].find((days) => isEnd(at(days))) ?? 7;
  const end = at(ago);
  const name = [end.getFullYear(), end.getMonth() + 1, end.getDate()]
    .map((each) => String(each).padStart(2, '0'))
    .join('-');
  const from = at(ago + (every === 'day' ? 1 : 7)).getTime();
  return { name: `${every} ${name}`, from, to: end.getTime() };
}

/** Whether the slot's messages are still to be sent. */
export const isCurrent = ({ every }: Schedule, { to }: Slot, now: number): boolean =>
  now - to < lateMax[every];
