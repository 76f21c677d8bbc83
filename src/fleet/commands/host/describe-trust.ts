/** The people who may sign, with the fingerprints that root compares. */
import { createHash } from 'node:crypto';
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import type { NamedKey, TrustDocument } from '../../core/documents.ts';
import { blobOf } from '../../core/parse.ts';
import type { FleetTrustFields } from './json.ts';

export const trustJson = ({ version, threshold, people }: TrustDocument): FleetTrustFields => ({
  trust: version,
  threshold,
  people: people.map((each) => ({ name: each.name, fingerprint: fingerprintOf(each) })),
});

/** Returns what `ssh-keygen -l` prints of a key. */
function fingerprintOf(person: NamedKey): string {
  const bytes = Buffer.from(blobOf(person), 'base64');
  const hash = createHash('sha256').update(bytes).digest('base64');
  return `SHA256:${hash.replace(/=+$/, '')}`;
}

export function describeTrust({
  fleet,
  trust,
  threshold,
  people,
}: FleetTrustFields & { readonly fleet: string }): string {
  const width = Math.max(...people.map(({ name }) => name.length));
  return [
    `Fleet "${fleet}", trust version ${trust}`,
    `${count(threshold, 'person', 'people')} of these must sign:`,
    ...people.map(({ name, fingerprint }) => `  ${printable(name).padEnd(width)}  ${fingerprint}`),
  ].join('\n');
}
