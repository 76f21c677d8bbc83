/** Replays recorded use against the limits of a changed policy: what `bulkhead simulate --json` prints. */
import { tryPolicyEdit } from '../../apply/edit.ts';
import { withChange } from '../../apply/edits/wanted-change.ts';
import { MemberIndex } from '../sampling/member-index.ts';
import { callAgent } from '../api/client.ts';
import { answer, problemOf, refusal } from './job-answer.ts';
import type { PolicyContext } from './policy-context.ts';
import type { PolicyJobAnswer } from './policy-job.ts';
import type { ChangeRequest } from './request-body.ts';
import { simulate } from './simulate-limits.ts';

export async function simulateChange(
  { reader, file, paths, audience }: PolicyContext,
  { change, periodSeconds }: ChangeRequest,
): Promise<PolicyJobAnswer> {
  const action = 'replay the history of tenants';
  if (audience.kind !== 'administrator')
    return refusal(403, { action, reason: 'only root may see all of it' });
  if (periodSeconds === undefined)
    return refusal(400, { action, reason: 'it has no "periodSeconds"', hint: 'send it' });
  const tried = tryPolicyEdit(reader, file, paths, (text) => withChange(text, change, paths));
  if (!tried.ok) return refusal(400, problemOf(tried.error));
  const { policy } = tried.value.loaded().after;
  if (policy === undefined) return refusal(400, { action, reason: 'the policy has errors' });
  const to = Date.now();
  const found = await simulate((path, query) => callAgent(paths, path, query), {
    period: { from: to - periodSeconds * 1000, to },
    after: new MemberIndex(policy),
    tenant: undefined,
    onProgress: () => undefined,
  });
  return found.ok ? answer(found.value) : refusal(503, found.error);
}
