/** Makes a release: the documents of all hosts, the tree over them, and the head that people sign. */
import type { Envelope, HostBundle, HostDocument, ReleaseHead } from '../../core/documents.ts';
import type { Release } from '../../core/fleet-files.ts';
import { documentText } from '../../core/parse.ts';
import { packPolicy } from './packed.ts';
import { merkleTree, proofOf, rootOf } from '../verify/merkle.ts';

/** Hosts of a release that have the same policy. */
export interface ReleaseHosts {
  /** The plain policy. */
  readonly policy: string;
  readonly hosts: readonly ReleaseHost[];
}

interface ReleaseHost {
  readonly name: string;
  /** The number of its wave, from 1 on. */
  readonly wave: number;
}

export type Gate = Pick<ReleaseHead, 'watchSeconds' | 'failed' | 'silent'>;
export type HeadFields = Omit<ReleaseHead, 'format' | 'root' | 'hosts'>;

/** Returns a release that nobody has signed. */
export function makeRelease(fields: HeadFields, groups: readonly ReleaseHosts[]): Release {
  const { fleet, generation } = fields;
  const policies = new Map<string, string>();
  const documents = groups.flatMap(({ policy, hosts }) => {
    const { mark, packed } = packPolicy(policy);
    policies.set(mark.sha256, packed);
    return hosts.map(({ name: host, wave }) => {
      const document: HostDocument = { format: 1, fleet, host, generation, policy: mark, wave };
      return { host, text: documentText(document) };
    });
  });
  const sorted = documents.sort((a, b) => (a.host < b.host ? -1 : 1)).map(({ text }) => text);
  return {
    head: { document: headText(fields, sorted), signatures: [] },
    hosts: sorted,
    policies: Object.fromEntries(policies),
  };
}

function headText(fields: HeadFields, documents: readonly string[]): string {
  const { fleet, generation, trust, watchSeconds, failed, silent, large, issued, expires } = fields;
  return documentText({
    format: 1,
    fleet,
    generation,
    trust,
    root: rootOf(merkleTree(documents)),
    hosts: documents.length,
    watchSeconds,
    failed,
    silent,
    large,
    issued,
    expires,
  });
}

/** Calls `write` with each host's bundle. */
export function eachBundle(
  { head, hosts, policies }: Release,
  trust: readonly Envelope[],
  write: (host: string, bundle: string) => void,
): void {
  const tree = merkleTree(hosts);
  // The parts that all hosts share are written once.
  const shared = `{"format":1,"trust":${JSON.stringify(trust)},"head":${JSON.stringify(head)}`;
  hosts.forEach((document, index) => {
    const { host, policy } = JSON.parse(document) as HostDocument;
    const part: HostBundle['host'] = { document, proof: proofOf(tree, index) };
    const packed = policies[policy.sha256] ?? '';
    write(host, `${shared},"host":${JSON.stringify(part)},"policy":"${packed}"}`);
  });
}
