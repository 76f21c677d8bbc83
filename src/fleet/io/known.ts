/** The knowledge of a host about its fleet, as far as a release is verified by it. */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { parseTrust } from '../core/parse.ts';
import type { HostState } from '../core/states.ts';
import type { HostStore } from './host-store.ts';
import type { Known } from './verify/verify-bundle.ts';

const action = 'read the trust of the fleet';
const hint = '"bulkhead fleet trust reset" takes the trust from a file again';

export interface HostKnown extends Known {
  /** The id of the trust that root has given the host. */
  readonly given: string;
}

export function knownOf(store: HostStore, state: HostState): Result<HostKnown, Problem> {
  const read = store.readTrust();
  if (!read.ok) return read;
  if (read.value === undefined) return failed({ action, reason: 'there is none', hint });
  const { given, document } = read.value;
  const parsed = parseTrust(document);
  if (!parsed.ok) return failed({ action, ...parsed.error });
  const { fleet, host } = state;
  const trust = parsed.value;
  // Only root's word lets a host forget which release was the newest.
  const newest = state.given === given ? state.newest : undefined;
  if (newest !== undefined && newest.trust > trust.version)
    return failed({ action, reason: 'it is older than the newest release', hint });
  return ok({ fleet, host, trust, newest, given });
}
