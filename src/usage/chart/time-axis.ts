/** The horizontal axis: moments in a time zone at which people expect lines, and a period in words. */

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const steps = [
  ...[1, 5, 10, 15, 30].map((count) => count * minute),
  ...[1, 2, 3, 6, 12].map((count) => count * hour),
  ...[1, 2, 7, 14, 28, 56, 112, 364].map((count) => count * day),
];

export interface TimeTick {
  readonly at: number;
  readonly label: string;
}

/** Returns at most `count` moments within the period, at round local times. */
export function timeTicks(
  { from, to }: { readonly from: number; readonly to: number },
  timeZone: string,
  count: number,
): readonly TimeTick[] {
  const step = steps.find((each) => (to - from) / each <= Math.max(1, count)) ?? 10 * 366 * day;
  const offset = offsetAt(from, timeZone);
  // Weeks begin on Mondays; 1970 began on a Thursday.
  const shift = step % (7 * day) === 0 ? 4 * day : 0;
  const first = Math.ceil((from + offset - shift) / step) * step + shift;
  const ticks: TimeTick[] = [];
  for (let wall = first; wall <= to + offset + day; wall += step) {
    const at = instantOf(wall, timeZone);
    if (at > to) break;
    // Clocks that are set forward skip a time: there is no such moment. A date begins later then.
    if (step < day && at + offsetAt(at, timeZone) !== wall) continue;
    if (at >= from) ticks.push({ at, label: labelOf(wall, step) });
  }
  return ticks;
}

/** Dates at midnight, times otherwise. */
function labelOf(wall: number, step: number): string {
  const isDate = step >= day || wall % day === 0;
  return new Intl.DateTimeFormat('en-GB', {
    timeZone: 'UTC',
    ...(isDate
      ? { day: 'numeric', month: 'short' }
      : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
  }).format(wall);
}

/** Returns the moment at which clocks of the zone show a time, which is given as if the zone were UTC. */
function instantOf(wall: number, timeZone: string): number {
  return wall - offsetAt(wall - offsetAt(wall, timeZone), timeZone);
}

/** Returns how far the zone's clocks are ahead of UTC, in milliseconds. */
function offsetAt(at: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone, timeZoneName: 'longOffset' });
  const text = format.formatToParts(at).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign = '+', hours = 0, minutes = 0, seconds = 0] =
    /^GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
  const ahead = Number(hours) * hour + Number(minutes) * minute + Number(seconds) * 1000;
  return sign === '-' ? -ahead : ahead;
}

/** Formats a moment: `24 November 2026, 14:02`. */
export const momentText = (at: number, timeZone: string): string =>
  new Intl.DateTimeFormat('en-GB', {
    timeZone,
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
    .format(at)
    .replace(' at ', ', ');

/** Formats a period with its zone; both offsets if clocks were changed within it. */
export function periodText(
  { from, to }: { readonly from: number; readonly to: number },
  timeZone: string,
): string {
  const offsets = [from, to].map((at) => offsetText(offsetAt(at, timeZone)));
  const zone = [...new Set(offsets)].join(', then ');
  const name = zone === timeZone ? zone : `${timeZone} (${zone})`;
  return `${momentText(from, timeZone)} to ${momentText(to, timeZone)}, ${name}`;
}

function offsetText(offset: number): string {
  if (offset === 0) return 'UTC';
  const minutes = Math.abs(Math.round(offset / minute));
  const two = (number: number) => String(number).padStart(2, '0');
  return `UTC${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

const lengths = [
  [7 * day, 'week'],
  [day, 'day'],
  [hour, 'hour'],
  [minute, 'minute'],
  [1000, 'second'],
] as const;

/** Formats the length of a part, after "each": `5 minutes`, `hour`. */
export function lengthText(milliseconds: number): string {
  const [size, word] =
    lengths.find(([each]) => milliseconds >= each && milliseconds % each < 1) ?? lengths[4];
  const count = Math.round(milliseconds / size);
  return count === 1 ? word : `${count} ${word}s`;
}
