/** Plans that accounts have in the panel, and for which the policy has no package. */
import { count, listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { nameOf, type Policy } from '../../policy/policy.ts';

export interface UnknownPlan {
  /** The plan; null for accounts that had a plan, and for which the panel states none now. */
  readonly plan: string | null;
  readonly accounts: readonly string[];
  /** The accounts that keep the package of their last plan; the others have their range's, or the defaults. */
  readonly kept: readonly string[];
}

export function unknownPlans({ tenants }: Pick<Policy, 'tenants'>): readonly UnknownPlan[] {
  const unknown = tenants.flatMap((tenant) => {
    const { plan } = tenant;
    const isUnknown = plan?.by === 'kept' || plan?.by === 'no package';
    return isUnknown
      ? [{ name: nameOf(tenant), plan: plan.plan ?? null, isKept: plan.by === 'kept' }]
      : [];
  });
  return [...Map.groupBy(unknown, ({ plan }) => plan)].map(([plan, members]) => ({
    plan,
    accounts: members.map(({ name }) => name),
    kept: members.filter(({ isKept }) => isKept).map(({ name }) => name),
  }));
}

/** Describes the plan, its accounts, what they have now, and the remedy. */
export function unknownPlanText({ plan, accounts, kept }: UnknownPlan): string {
  const who = `${count(accounts.length, 'account')}: ${listSome(accounts)}`;
  const have =
    kept.length === accounts.length
      ? 'the package of the last plan stays in force'
      : `${count(kept.length, 'account')} with the package of the last plan, ${accounts.length - kept.length} with the package of the reseller or range, or the defaults`;
  return plan === null
    ? `The panel states no plan any more for ${who}; ${have}. Write <tenant user="…" package="…"/> if that is meant`
    : `The policy has no package for the panel's plan "${printable(plan)}" (${who}); ${have}. Add <plan name="…" package="…"/> to <panel>`;
}
