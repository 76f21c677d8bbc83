/** Asks root whether the fingerprints that were shown are right. */
import type { Problem } from '../../../../packages/base/problem.ts';
import { canAsk, confirm } from '../../../cli/confirm.ts';
import type { JsonOption } from '../../../cli/shared/agent-request.ts';

interface ConfirmOptions extends JsonOption {
  readonly yes?: boolean;
}

/** Returns why nobody has confirmed them; undefined if somebody has. */
export async function whyUnconfirmed({ yes, json }: ConfirmOptions): Promise<Problem | undefined> {
  if (yes === true) return undefined;
  const question = 'Are these the fingerprints of the people who may sign?';
  if (json !== true && canAsk() && (await confirm(question))) return undefined;
  return {
    action: 'take the trust',
    reason: 'nobody has confirmed the fingerprints',
    hint: 'compare them, then pass --yes',
  };
}
