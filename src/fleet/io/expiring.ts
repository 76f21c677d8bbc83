/** Says that newer releases may be kept back: the last third of a release's time has begun, and none has come. */
import { count } from '../../../packages/base/list.ts';
import type { HostState, Now } from '../core/states.ts';

const dayMilliseconds = 86_400_000;

/** Returns a sentence, or nothing. */
export function expiring(newest: HostState['newest'], now: Pick<Now, 'at'>): readonly string[] {
  if (newest === undefined) return [];
  const [issued, expires] = [Date.parse(newest.issued), Date.parse(newest.expires)];
  const left = expires - now.at;
  if (left <= 0 || left >= (expires - issued) / 3) return [];
  const days = Math.floor(left / dayMilliseconds);
  const when = days === 0 ? 'less than a day' : count(days, 'day');
  return [`Generation ${newest.generation} expires in ${when}, and no newer release has come`];
}
