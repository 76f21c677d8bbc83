/** Resolves the policy of a host of a fleet, whose accounts are not known here: each that is named counts as there. */
import type { Account } from '../../accounts/account.ts';
import type { PolicyDocument } from '../../document.ts';
import type { Identity, Policy } from '../../policy.ts';
import { resolvePolicy } from '../../resolve.ts';

/** The uids that stand for accounts whose uid is unknown begin here, above those of people. */
const unknownUidMin = 3_000_000_000;

/** Whether the uid stands for an account by name. */
export const isUnknownUid = ({ uid }: Pick<Identity, 'uid'>): boolean => uid >= unknownUidMin;

export function resolveElsewhere(document: PolicyDocument): Policy {
  const accounts = [...namesIn(document)].map((user, index): Account => {
    const uid = unknownUidMin + index;
    return { user, uid, gid: uid, home: `/home/${user}` };
  });
  return resolvePolicy(document, { accounts, uidMin: 1 });
}

function namesIn({ tenants, resellers, tenantRanges }: PolicyDocument): ReadonlySet<string> {
  const members = [...tenants, ...resellers, ...resellers.flatMap((each) => each.tenants)];
  const users = members.flatMap(({ name: { value } }) =>
    value.kind === 'user' ? [value.user] : [],
  );
  const except = tenantRanges.flatMap((each) => each.except.map(({ value }) => value));
  return new Set([...users, ...except.filter((each) => !/^\d+$/.test(each))]);
}
