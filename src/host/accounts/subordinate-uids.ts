/**
 * The uids that tenants may use besides their own. They use them in user namespaces that they created, and outside
 * through a setuid file owned by such a uid.
 *
 *     alice:100000:65536        /etc/subuid, subuid(5): account or uid, first, how many
 *
 * A uid with an account belongs to that account, regardless of this file.
 */
import type { Account } from '../../policy/policy.ts';
import { parsePasswd } from './accounts.ts';
import type { Paths } from '../paths.ts';
import { readText } from '../../../packages/base/io/read.ts';

/** A range from `first` to `last`, inclusive. */
export type SubordinateUids = readonly [first: number, last: number, tenant: number];

/** No real file has more; the rest is still identified by user namespaces. */
const subordinateRangesMax = 200_000;
const uidMax = 2 ** 32 - 2;

export function readSubordinateUids(
  paths: Paths,
  tenants: ReadonlySet<number>,
): readonly SubordinateUids[] {
  const accounts = parsePasswd(readText(`${paths.etc}/passwd`) ?? '');
  return parseSubordinateUids(readText(`${paths.etc}/subuid`) ?? '', tenants, accounts);
}

/** Parses ranges of `tenants`, sorted by uid and disjoint: of overlapping ranges, the first counts. */
export function parseSubordinateUids(
  text: string,
  tenants: ReadonlySet<number>,
  accounts: readonly Account[],
): readonly SubordinateUids[] {
  const uids = new Map(accounts.map(({ user, uid }) => [user, uid]));
  const ranges = text
    .split('\n', subordinateRangesMax)
    .flatMap((line) => parseLine(line, uids))
    .filter(([, , tenant]) => tenants.has(tenant))
    .sort(([a], [b]) => a - b);
  const taken = [...new Set([0, ...uids.values(), ...tenants])].sort((a, b) => a - b);
  return withoutAccounts(ranges, taken);
}

function parseLine(line: string, uids: ReadonlyMap<string, number>): SubordinateUids[] {
  const match = /^([^:#]+):(\d{1,10}):(\d{1,10})$/.exec(line.trim());
  if (match === null) return [];
  const [, who = '', start, count] = match;
  const tenant = uids.get(who) ?? (/^\d{1,10}$/.test(who) ? Number(who) : undefined);
  const last = Math.min(Number(start) + Number(count) - 1, uidMax);
  return tenant === undefined || last < Number(start) ? [] : [[Number(start), last, tenant]];
}

/** Removes uids that have an account. `ranges` and `taken` ascend. */
function withoutAccounts(
  ranges: readonly SubordinateUids[],
  taken: readonly number[],
): readonly SubordinateUids[] {
  const left: SubordinateUids[] = [];
  let from = 0;
  let next = 0;
  for (const [start, last, tenant] of ranges) {
    let first = Math.max(start, from);
    while (next < taken.length && (taken[next] ?? 0) < first) next++;
    for (let uid = taken[next] ?? Infinity; uid <= last; uid = taken[++next] ?? Infinity) {
      if (uid > first) left.push([first, uid - 1, tenant]);
      first = uid + 1;
    }
    if (first <= last) left.push([first, last, tenant]);
    from = Math.max(from, last + 1);
  }
  return left;
}
