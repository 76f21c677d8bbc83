/** Plans that accounts have in the panel, and for which the policy has no package. */
import { count, listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { nameOf, type Policy } from '../../policy/policy.ts';

export interface UnknownPlan {
  /** The plan; null for accounts that had a plan, and for which the panel states none now. */
  readonly plan: string | null;
  readonly accounts: readonly string[];
  /** The accounts that keep lower limits of their last package; the others have their range's, or the defaults. */
  readonly kept: readonly string[];
  /** The names of those packages. */
  readonly packages: readonly string[];
}

/** Returns null while nothing is known of the panel, whose accounts seem to have no plans then. */
export function unknownPlans({
  tenants,
  panelIsUnknown,
}: Pick<Policy, 'tenants' | 'panelIsUnknown'>): readonly UnknownPlan[] | null {
  if (panelIsUnknown) return null;
  const unknown = tenants.flatMap((tenant) => {
    const { plan } = tenant;
    const isUnknown = plan?.by === 'kept' || plan?.by === 'no package';
    if (!isUnknown) return [];
    const kept = plan.by === 'kept' ? tenant.package : undefined;
    return [{ name: nameOf(tenant), plan: plan.plan ?? null, kept }];
  });
  return [...Map.groupBy(unknown, ({ plan }) => plan)].map(([plan, members]) => ({
    plan,
    accounts: members.map(({ name }) => name),
    kept: members.flatMap(({ name, kept }) => (kept === undefined ? [] : [name])),
    packages: [...new Set(members.flatMap(({ kept }) => kept ?? []))].sort(),
  }));
}

/** Describes the plan, its accounts, what they have now, and the remedy. */
export function unknownPlanText({ plan, accounts, kept, packages }: UnknownPlan): string {
  const who = `${count(accounts.length, 'account')}: ${listSome(accounts)}`;
  const lower =
    kept.length === 0
      ? ''
      : `; for ${count(kept.length, 'account')}, lower limits of the last package (${listSome(packages)}) stay`;
  const have = `each gets the package of its reseller or range, or the defaults${lower}`;
  return plan === null
    ? `The panel no longer states a plan for ${who}; ${have}. To confirm a package, write <tenant user="…" package="…"/>`
    : `The policy has no package for the panel's plan "${printable(plan)}" (${who}); ${have}. Add <plan name="…" package="…"/> to <panel>`;
}
