/** Checks that `release.json` has what people signed, and all of it: anybody may have changed the file. */
import type { Cause } from '../../../../packages/base/problem.ts';
import type { HostDocument, ReleaseHead } from '../../core/documents.ts';
import type { Release } from '../../core/fleet-files.ts';
import { parseHost } from '../../core/parse.ts';
import { merkleTree, rootOf } from '../verify/merkle.ts';
import { unpackPolicy } from './packed.ts';

/** Returns the reason why hosts would refuse a part of the release. */
export function notWhole({ hosts, policies }: Release, head: ReleaseHead): Cause | undefined {
  if (hosts.length !== head.hosts || rootOf(merkleTree(hosts)) !== head.root)
    return { reason: 'release.json does not have the hosts that people signed', hint };
  const names = new Set<string>();
  const known = new Set<string>();
  for (const text of hosts) {
    const parsed = parseHost(text);
    if (!parsed.ok) return parsed.error;
    const { fleet, generation, host, policy } = parsed.value;
    if (fleet !== head.fleet || generation !== head.generation || names.has(host))
      return { reason: `release.json has "${host}" twice, or of another release`, hint };
    names.add(host);
    if (known.has(policy.sha256)) continue;
    if (unpackPolicy(policies[policy.sha256] ?? '', policy) === undefined)
      return {
        reason: `release.json does not have the policy that people signed for "${host}"`,
        hint,
      };
    known.add(policy.sha256);
  }
  return undefined;
}

const hint = 'get it again from whoever signed, or sign again';

/** Returns the documents of a release that nobody has checked, without those that are malformed. */
export const hostDocuments = ({ hosts }: Release): readonly HostDocument[] =>
  hosts.flatMap((text) => {
    const parsed = parseHost(text);
    return parsed.ok ? [parsed.value] : [];
  });
