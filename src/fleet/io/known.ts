/** The knowledge of a host about its fleet, as far as a release is verified by it. */
import { createHash } from 'node:crypto';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { documentText, parseTrust } from '../core/parse.ts';
import type { TrustDocument } from '../core/documents.ts';
import type { HostState } from '../core/states.ts';
import type { HostStore } from './host-store.ts';
import type { Known } from './verify/verify-bundle.ts';

const action = 'read the trust of the fleet';
const hint = '"bulkhead fleet trust reset" takes the trust from a file again';

export const trustKeyOf = (trust: TrustDocument): string =>
  createHash('sha256').update(documentText(trust)).digest('hex');

export function knownOf(store: HostStore, state: HostState): Result<Known, Problem> {
  const chain = store.readTrust();
  if (!chain.ok) return chain;
  const last = chain.value?.at(-1);
  if (last === undefined) return failed({ action, reason: 'there is none', hint });
  const parsed = parseTrust(last.document);
  if (!parsed.ok) return failed({ action, ...parsed.error });
  const { fleet, host } = state;
  const trust = parsed.value;
  return ok({ fleet, host, trust, newest: newestUnder(state, trust) });
}

/** Returns the newest head, unless root has given the host another trust since. */
function newestUnder({ newest, trustKey }: HostState, trust: TrustDocument): Known['newest'] {
  if (newest === undefined || newest.trust > trust.version) return undefined;
  return newest.trust === trust.version && trustKey !== trustKeyOf(trust) ? undefined : newest;
}
