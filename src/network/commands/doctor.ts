/** Reports the network rules of the policy in `doctor`. */
import type { DoctorReport } from '../../cli/doctor-report.ts';
import { count } from '../../../packages/base/list.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { hostHeld } from '../io/host-held.ts';
import { hostRules, servedPortRemarks } from '../io/host-rules.ts';
import { hostRemarks } from './host-remarks.ts';

const label = 'Network';

export async function networkDoctor({
  paths,
  policy,
}: EntryPathContext): Promise<DoctorReport | undefined> {
  if (policy === undefined) return undefined;
  const rules = hostRules(paths, policy);
  if (rules === undefined) return undefined;
  if (process.geteuid?.() !== 0)
    return { label, text: 'unknown: only root can try the rules', remarks: [] };
  const { parts, remarks } = await hostHeld(paths, rules);
  const mail = new Set(rules.tenants.flatMap(({ reach }) => reach?.mail ?? []));
  const weak = parts.filter(({ support }) => support !== 'full');
  return {
    label,
    text:
      weak.length === 0
        ? `${count(parts.length, 'part')} of the rules held fully, tried just now`
        : parts.map(({ part, support }) => `${part} ${support}`).join(', '),
    remarks: [
      ...weak.map(({ part, support, reason }) => `${part} (${support}): ${reason}`),
      ...remarks,
      ...servedPortRemarks(paths, policy),
      ...(await hostRemarks(paths, mail)),
    ],
  };
}
