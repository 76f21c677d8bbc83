/**
 * Uids that belong to nobody. They are below 100000, where `useradd` begins to assign subordinate uids, and above
 * 65535, where accounts and the uids that systemd assigns to its services end. A caller may give another start.
 */
import type { UidRange } from '../../policy/document.ts';

export const firstUid = 65_600;
const searchedMax = 30_000;

/** Uids in use; both ends of a range belong to it. */
export type Taken = readonly UidRange[];

/** Returns the first of `count` uids in a row of which none is taken; undefined if there are none. */
export function freeUids(taken: Taken, count: number, from: number = firstUid): number | undefined {
  for (let first = from; first < from + searchedMax;) {
    const last = first + count - 1;
    const inTheWay = taken.filter((each) => each.first <= last && each.last >= first);
    if (inTheWay.length === 0) return first;
    first = Math.max(...inTheWay.map((each) => each.last)) + 1;
  }
  return undefined;
}

/** Ranges of /etc/subuid or /etc/subgid: `alice:100000:65536`. */
export function subordinateRanges(text: string): Taken {
  return text.split('\n').flatMap((line) => {
    const [, first = '', count = ''] = line.trim().split(':');
    if (!/^\d{1,10}$/.test(first) || !/^\d{1,10}$/.test(count)) return [];
    return [{ first: Number(first), last: Number(first) + Number(count) - 1 }];
  });
}

/** Returns the third fields of /etc/passwd or /etc/group. */
export function idsIn(text: string): Taken {
  return text.split('\n').flatMap((line) => {
    const id = line.split(':')[2] ?? '';
    return /^\d{1,10}$/.test(id) ? [{ first: Number(id), last: Number(id) }] : [];
  });
}
