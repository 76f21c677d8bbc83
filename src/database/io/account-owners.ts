/** The owners of accounts of database servers, on this host. */
import { readText } from '../../../packages/base/io/read.ts';
import { parsePasswd } from '../../host/accounts/accounts.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { AccountOwners } from '../core/accounts.ts';

/** Accounts of the host that are no tenants own what has their name, so that no tenant is held for it. */
export function accountOwners({ etc }: Pick<Paths, 'etc'>, policy: Policy): AccountOwners {
  const users = parsePasswd(readText(`${etc}/passwd`) ?? '').map(({ user }) => user);
  return new AccountOwners({ policy, otherAccounts: users });
}
