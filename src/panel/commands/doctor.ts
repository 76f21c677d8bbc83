/** Reports in `doctor` how many accounts follow their plans in the panel, and the plans that the policy does not have. */
import { count } from '../../../packages/base/list.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { unknownPlans, unknownPlanText } from '../core/unknown-plans.ts';

const notKnown =
  'not known: its record cannot be used, so accounts keep their last packages; run: bulkhead panel sync';

export function panelDoctor({ policy }: EntryPathContext): Promise<DoctorReport | undefined> {
  if (policy?.panel === undefined) return Promise.resolve(undefined);
  const unknown = unknownPlans(policy);
  if (unknown === null) return Promise.resolve({ label: 'Panel', text: notKnown, remarks: [] });
  const follow = policy.tenants.filter(({ plan }) => plan?.by === 'plan' || plan?.by === 'panel');
  const others = unknown.flatMap(({ accounts }) => accounts).length;
  const more = others === 0 ? '' : `, and ${others} with a plan that the policy does not have`;
  const text = `${count(follow.length, 'account')} with the package of the plan${more}`;
  return Promise.resolve({ label: 'Panel', text, remarks: unknown.map(unknownPlanText) });
}
