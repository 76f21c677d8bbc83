/** The steps that remain of a move, and the facts that only the hosts know. */
import type { TenantMove } from '../../../policy/fleet/plan/move-tenant.ts';
import type { FleetMoveJson } from './json.ts';

const release =
  '"bulkhead fleet plan", "bulkhead fleet sign" and "bulkhead fleet publish", as for any release';

export function stepsAfter(
  { tenant, from, to }: TenantMove,
  step: FleetMoveJson['step'],
): Pick<FleetMoveJson, 'unchecked' | 'next'> {
  if (step === 'finish')
    return { unchecked: [`whether the account is gone from ${from}`], next: [release] };
  return {
    unchecked: [
      `whether ${to} has another account named ${tenant}, and which uid it will get`,
      `whether ${tenant} will use there what it used on ${from}`,
    ],
    next: [
      release,
      `when ${to} has the release: move the account with its files and databases, as your panel does`,
      `on ${from}: bulkhead history export ${tenant} --to ${tenant}.history`,
      `on ${to}: bulkhead history import ${tenant}.history --as ${tenant} --key FINGERPRINT, as the export prints it`,
      `when the account is gone from ${from}: bulkhead fleet move ${tenant} ${from} ${to} --finish`,
    ],
  };
}
