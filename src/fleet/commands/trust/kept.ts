/** The trust of a fleet as commands show it. */
import { count } from '../../../../packages/base/list.ts';
import { namespaces, type NamedKey, type TrustDocument } from '../../core/documents.ts';
import type { KeptTrust } from '../../io/directory/fleet-directory.ts';
import { signersOf } from '../../io/verify/verify-trust.ts';
import type { FleetTrustShowJson, FleetTrustVersionJson } from '../json.ts';

export function trustJson({ trust, next }: KeptTrust): FleetTrustShowJson {
  const waiting = next && {
    ...versionJson(next.trust),
    ...signaturesOf(next, trust),
  };
  return { fleet: trust.fleet, ...versionJson(trust), next: waiting ?? null };
}

const versionJson = ({
  version,
  threshold,
  expires,
  people,
  controllers,
}: TrustDocument): FleetTrustVersionJson => ({ version, threshold, expires, people, controllers });

/** Returns who has signed a version, and how many more must: by the rules of the one before, and by its own. */
function signaturesOf(
  { envelope, trust }: Required<KeptTrust>['next'],
  before: TrustDocument,
): { readonly signed: readonly string[]; readonly missing: number } {
  const counted = (each: TrustDocument): Counted => {
    const { people } = signersOf(envelope, each, namespaces.trust);
    return { names: people.map(({ name }) => name), missing: each.threshold - people.length };
  };
  const [old, own] = [counted(before), counted(trust)];
  return {
    signed: [...new Set([...old.names, ...own.names])],
    missing: Math.max(0, old.missing, own.missing),
  };
}

interface Counted {
  readonly names: readonly string[];
  readonly missing: number;
}

export function trustText({ fleet, next, ...trust }: FleetTrustShowJson): string {
  const lines = [`Fleet ${fleet}, ${versionText(trust)}`, ...keyTexts(trust)];
  if (next === null) return lines.join('\n');
  const signed = next.signed.length === 0 ? 'nobody yet' : next.signed.join(', ');
  return [
    ...lines,
    '',
    `Waiting: ${versionText(next)}`,
    ...keyTexts(next),
    `signed by ${signed}; ${count(next.missing, 'more person', 'more people')} must sign: "bulkhead fleet trust sign"`,
  ].join('\n');
}

const versionText = ({ version, threshold, people, expires }: FleetTrustVersionJson) =>
  `trust version ${version}: ${threshold} of ${count(people.length, 'person', 'people')} must sign; expires ${expires.slice(0, 10)}`;

const keyTexts = ({ people, controllers }: FleetTrustVersionJson) => [
  ...people.map(personText),
  ...(controllers.length === 0 ? [] : ['controllers, which lead rollouts:']),
  ...controllers.map(personText),
];

const personText = ({ name, key }: NamedKey) => `  ${name}  ${key}`;
