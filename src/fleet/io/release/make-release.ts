/** Makes a release: the documents of all hosts, the tree over them, and the head that people sign. */
import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import type { Envelope, HostBundle, HostDocument, ReleaseHead } from '../../core/documents.ts';
import { documentText } from '../../core/parse.ts';
import { merkleTree, proofOf, rootOf } from '../verify/merkle.ts';

/** A host of a release. */
export interface ReleaseHost {
  readonly host: string;
  /** The number of its wave, from 1 on. */
  readonly wave: number;
  /** Its plain policy. */
  readonly policy: string;
}

/** A release, as people keep it in their directory. */
export interface Release {
  readonly head: Envelope;
  /** The hosts' documents, sorted by host. */
  readonly hosts: readonly string[];
  /** The policies, as base64 of zstd, by their hash: hosts with the same policy share one. */
  readonly policies: Readonly<Record<string, string>>;
}

export type Gate = Pick<ReleaseHead, 'watchSeconds' | 'failed' | 'silent'>;
export type HeadFields = Omit<ReleaseHead, 'format' | 'root' | 'hosts'>;

/** Returns a release that nobody has signed. */
export function makeRelease(fields: HeadFields, hosts: readonly ReleaseHost[]): Release {
  const { fleet, generation } = fields;
  const policies = new Map<string, Hashed>();
  const documents = [...hosts]
    .sort((a, b) => (a.host < b.host ? -1 : 1))
    .map(({ host, wave, policy }) => {
      const { packed: _, ...hashed } = hashedOnce(policy, policies);
      const document: HostDocument = { format: 1, fleet, host, generation, policy: hashed, wave };
      return documentText(document);
    });
  const head = headText(fields, documents);
  const packed = [...policies.values()].map((each) => [each.sha256, each.packed] as const);
  return {
    head: { document: head, signatures: [] },
    hosts: documents,
    policies: Object.fromEntries(packed),
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

type Hashed = HostDocument['policy'] & { readonly packed: string };

function hashedOnce(policy: string, known: Map<string, Hashed>): Hashed {
  const found = known.get(policy);
  if (found !== undefined) return found;
  const bytes = Buffer.from(policy);
  const hashed = {
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: bytes.length,
    packed: zstdCompressSync(bytes).toString('base64'),
  };
  known.set(policy, hashed);
  return hashed;
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
