/** The surroundings of a question about the policy, in the process that answers it. */
import type { PolicyCapability } from '../../apply/capability.ts';
import { policyReader, type Loaded, type PolicyReader } from '../../apply/load-policy.ts';
import { linuxHost, type Host } from '../../host/host.ts';
import { delegationOf, type Delegation, type WrittenPolicy } from '../../policy/rights/may-edit.ts';
import type { PolicyJob } from './policy-job.ts';

export interface PolicyContext extends Omit<PolicyJob, 'question'> {
  readonly host: Host;
  readonly reader: PolicyReader;
  readonly capabilities: readonly PolicyCapability[];
}

export async function policyContext(
  { question: _question, ...job }: PolicyJob,
  capabilities: readonly PolicyCapability[],
): Promise<PolicyContext> {
  const reader = await policyReader(capabilities);
  return { ...job, host: linuxHost(job.paths), reader, capabilities };
}

/** Returns the policy if it has no errors. */
export const writtenIn = ({ policy, document }: Loaded): WrittenPolicy | undefined =>
  policy && document && { policy, document };

/** Returns the reseller who asks, as the policy has it; undefined for root, or if there is none. */
export function resellerWho(
  { audience }: Pick<PolicyContext, 'audience'>,
  written: WrittenPolicy | undefined,
): Delegation | undefined {
  return audience.kind === 'reseller' && written !== undefined
    ? delegationOf(audience.uid, written)
    : undefined;
}
