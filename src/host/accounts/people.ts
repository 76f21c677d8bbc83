/** Returns the accounts whose homes matter: the policy's tenants and resellers, or all people if there is no policy. */
import { parsePasswd, readUidRange } from './accounts.ts';
import type { Paths } from '../paths.ts';
import type { Account, Policy } from '../../policy/policy.ts';
import { readText } from '../../../packages/base/io/read.ts';

export function peopleOf(policy: Policy | undefined, paths: Paths): readonly Account[] {
  if (policy !== undefined)
    return [...policy.tenants, ...policy.resellers].flatMap(({ account }) => account ?? []);
  const { first, last } = readUidRange(paths);
  const accounts = parsePasswd(readText(`${paths.etc}/passwd`) ?? '');
  return accounts.filter(({ uid }) => uid >= first && uid <= last);
}
