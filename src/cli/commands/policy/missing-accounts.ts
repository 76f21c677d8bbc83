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

const shownMax = 3;

/** Describes a few of them, and counts the others: one panel can delete thousands. */
export function missingAccountNotes(missing: readonly MissingAccountJson[]): readonly string[] {
  const messages = missing.slice(0, shownMax).map(({ message }) => message);
  const more = missing.length - messages.length;
  if (more === 0) return messages;
  return [...messages, `… and ${more} more; "bulkhead doctor --json" lists them all`];
}
