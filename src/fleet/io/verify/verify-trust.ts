/** Verifies who may sign: each version of the trust is signed by the people of the one before, and by its own. */
import type { Cause } from '../../../../packages/base/problem.ts';
import { count } from '../../../../packages/base/list.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import {
  namespaces,
  type Envelope,
  type Namespace,
  type NamedKey,
  type TrustDocument,
} from '../../core/documents.ts';
import { blobOf, documentText, parseTrust } from '../../core/parse.ts';
import { refuse, refuseFor, type Refusal } from '../../core/refusal.ts';
import { readSignature, verifySignature } from './ssh-signature.ts';

/** A signature that does not count, and the reason. */
export interface Signers {
  /** The people who signed, each once. */
  readonly people: readonly NamedKey[];
  /** The reasons why other signatures do not count. */
  readonly problems: readonly string[];
}

/** Returns which people of a trust have signed a document. */
export function signersOf(
  { document, signatures }: Envelope,
  { people }: Pick<TrustDocument, 'people'>,
  namespace: Namespace,
): Signers {
  const found = new Set<NamedKey>();
  const problems = signatures.flatMap((armored) => {
    const signature = readSignature(armored);
    if (!signature.ok) return [signature.error.reason];
    const person = people.find((each) => blobOf(each) === signature.value.signer);
    if (person === undefined) return ['a key signed that the trust does not list'];
    if (found.has(person)) return [`${person.name} signed twice, which counts once`];
    const verified = verifySignature(signature.value, document, namespace);
    if (!verified.ok) return [`${person.name}: ${verified.error.reason}`];
    found.add(person);
    return [];
  });
  return { people: [...found], problems };
}

/** Returns the reason if fewer people have signed than the trust wants. */
export function tooFewSigned(
  envelope: Envelope,
  trust: TrustDocument,
  namespace: Namespace,
): Cause | undefined {
  const { people, problems } = signersOf(envelope, trust, namespace);
  if (people.length >= trust.threshold) return undefined;
  const signed = `${count(people.length, 'person', 'people')} of the trust, version ${trust.version}`;
  const why = problems.length === 0 ? '' : ` (${[...new Set(problems)].slice(0, 5).join('; ')})`;
  return { reason: `it is signed by ${signed}, and ${trust.threshold} must sign${why}` };
}

/**
 * Returns the newest trust of a chain, if it follows from the one that is known. The chain may begin with any version
 * up to the next one.
 */
export function verifyTrust(
  chain: readonly Envelope[],
  known: TrustDocument,
): Result<TrustDocument, Refusal> {
  let trust = known;
  let before: number | undefined;
  for (const envelope of chain) {
    const parsed = parseTrust(envelope.document);
    if (!parsed.ok) return refuseFor('malformed', parsed.error);
    const { fleet, version } = parsed.value;
    if (fleet !== known.fleet)
      return refuse('another-fleet', `its trust is for the fleet "${fleet}", not "${known.fleet}"`);
    if (before !== undefined && version !== before + 1)
      return refuse('malformed', `trust version ${version} follows version ${before}`);
    before = version;
    const refusal = follow(envelope, parsed.value, { known, trust });
    if (refusal !== undefined) return refusal;
    if (version > trust.version) trust = parsed.value;
  }
  if (before !== undefined && before >= known.version) return ok(trust);
  return refuse(
    'trust-older',
    `its trust has version ${before ?? 0}, and version ${known.version} is known here`,
    'publish again from the newest state of the fleet',
  );
}

interface Following {
  readonly known: TrustDocument;
  /** The newest one that is verified. */
  readonly trust: TrustDocument;
}

function follow(
  envelope: Envelope,
  next: TrustDocument,
  { known, trust }: Following,
): Result<never, Refusal> | undefined {
  if (next.version < known.version) return undefined;
  if (next.version === known.version)
    return documentText(known) === envelope.document
      ? undefined
      : refuse(
          'trust-fork',
          `its trust of version ${next.version} is not the one known here`,
          reset,
        );
  if (next.version !== trust.version + 1)
    return refuse(
      'trust-gap',
      `its trust begins with version ${next.version}, and version ${known.version} is known here`,
      reset,
    );
  // The people before say who comes next; the people after show that they have their keys.
  const problem =
    tooFewSigned(envelope, trust, namespaces.trust) ??
    tooFewSigned(envelope, next, namespaces.trust);
  return problem && refuse('trust-signatures', `trust version ${next.version}: ${problem.reason}`);
}

const reset = 'if that is right, run "bulkhead fleet trust reset" as root on this host';
