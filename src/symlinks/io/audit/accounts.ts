/** The accounts whose homes an audit reads: the policy's tenants and resellers, or without a policy all people. */
import { parsePasswd } from '../../../host/accounts/accounts.ts';
import { peopleOf } from '../../../host/accounts/people.ts';
import { readSubordinateUids } from '../../../host/accounts/subordinate-uids.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Account, Policy } from '../../../policy/policy.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import type { Accounts } from './protocol.ts';

/** The maximum number of findings for one home and severity. */
const findingsMax = 1000;

/** Returns the accounts with a home, sorted by uid. */
export function peopleToAudit(policy: Policy | undefined, paths: Paths): readonly Account[] {
  const people = peopleOf(policy, paths).filter(({ home }) => home.startsWith('/'));
  const byUid = new Map(people.map((each) => [each.uid, each]));
  return [...byUid.values()].toSorted((a, b) => a.uid - b.uid);
}

export function accountsOf(
  people: readonly Account[],
  paths: Paths,
  { hardLinks }: Pick<Accounts, 'hardLinks'>,
): Accounts {
  const ranges = Map.groupBy(
    readSubordinateUids(paths, new Set(people.map((each) => each.uid))),
    ([, , tenant]) => tenant,
  );
  const known = parsePasswd(readText(`${paths.etc}/passwd`) ?? '');
  return {
    proc: paths.proc,
    homes: people.map(({ uid, home }) => ({
      uid,
      path: Buffer.from(home).toString('latin1'),
      ranges: (ranges.get(uid) ?? []).map(([first, last]) => [first, last] as const),
    })),
    // If several accounts have one uid, the first counts.
    names: [...known, ...people].toReversed().map(({ uid, user }) => [uid, user] as const),
    hardLinks,
    findingsMax,
  };
}
