/** Accounts that a policy names and that do not exist now, for outputs that have no diagnostics. */
import { missingAccountText } from '../../../policy/accounts/named-accounts.ts';
import type { Policy } from '../../../policy/policy.ts';
import type { MissingAccountJson } from '../json.ts';

export const missingAccountsOf = (
  policy: Pick<Policy, 'missing'> | undefined,
): readonly MissingAccountJson[] =>
  (policy?.missing ?? []).map((each) => ({
    user: each.account.user,
    uid: each.account.uid,
    element: each.element,
    state: each.state === 'replaced' ? 'replaced' : 'missing',
    message: missingAccountText(each),
  }));
