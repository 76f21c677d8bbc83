/**
 * Verifies a bundle at a host. Nothing of it may be kept or acted on before all of it is verified: a trust that was
 * stored early, or a number, would let somebody with an old bundle shut the host out.
 */
import { ok, type Result } from '../../../../packages/base/result.ts';
import {
  namespaces,
  type Envelope,
  type HostBundle,
  type HostDocument,
  type ReleaseHead,
  type TrustDocument,
} from '../../core/documents.ts';
import { documentText, parseBundle, parseHead, parseHost } from '../../core/parse.ts';
import { refuse, refuseFor, type Refusal } from '../../core/refusal.ts';
import { unpackPolicy } from '../release/packed.ts';
import { rootFrom } from './merkle.ts';
import { tooFewSigned, verifyTrust } from './verify-trust.ts';

/** The knowledge of a host about its fleet. */
export interface Known {
  readonly fleet: string;
  readonly host: string;
  /** The newest trust. */
  readonly trust: TrustDocument;
  /** The newest head ever verified here, whether the host accepted its policy or not. */
  readonly newest: ReleaseHead | undefined;
}

export interface VerifiedRelease {
  readonly trust: TrustDocument;
  /** The newest trust alone, to be kept: nobody has looked at other signatures that came along. */
  readonly trustChain: readonly Envelope[];
  readonly head: ReleaseHead;
  readonly host: HostDocument;
  /** The plain policy. */
  readonly policy: string;
  /** The text that was verified. */
  readonly bundle: string;
}

/** Verifies everything about a bundle except what its policy says. `now` is in milliseconds since 1970. */
export function verifyBundle(
  text: string,
  known: Known,
  now: number,
): Result<VerifiedRelease, Refusal> {
  const parsed = parseBundle(text);
  if (!parsed.ok) return refuseFor('malformed', parsed.error);
  const bundle = parsed.value;
  const trust = verifyTrust(bundle.trust, known.trust);
  if (!trust.ok) return trust;
  const head = verifyHead(bundle.head, trust.value, { ...known, now });
  if (!head.ok) return head;
  const host = verifyHost(bundle.host, head.value, known);
  if (!host.ok) return host;
  const policy = unpackPolicy(bundle.policy, host.value.policy);
  if (policy === undefined)
    return refuse('policy-differs', 'the policy is not the one that was signed');
  return ok({
    trust: trust.value,
    trustChain: [{ document: documentText(trust.value), signatures: [] }],
    head: head.value,
    host: host.value,
    policy,
    bundle: text,
  });
}

/** A clock may be wrong by this, in milliseconds. */
export const clockError = 24 * 3_600_000;

/** Verifies a release's head by people, time and order. */
export function verifyHead(
  envelope: Envelope,
  trust: TrustDocument,
  known: Omit<Known, 'trust' | 'host'> & { readonly now: number },
): Result<ReleaseHead, Refusal> {
  const parsed = parseHead(envelope.document);
  if (!parsed.ok) return refuseFor('malformed', parsed.error);
  const head = parsed.value;
  if (head.fleet !== known.fleet)
    return refuse('another-fleet', `it is for the fleet "${head.fleet}", not "${known.fleet}"`);
  if (head.trust > trust.version)
    return refuse(
      'trust-gap',
      `it was signed under trust version ${head.trust}, which is not in it`,
    );
  const problem = tooFewSigned(envelope, trust, namespaces.release);
  if (problem !== undefined) return refuseFor('signatures', problem);
  // A clock that was set back does not make something old new again.
  const time = Math.max(
    known.now,
    known.newest === undefined ? 0 : Date.parse(known.newest.issued),
  );
  // A time that is none is NaN, and fails each of these.
  if (!(Date.parse(trust.expires) > time))
    return refuse('trust-expired', `its trust expired at ${trust.expires}`, 'renew the trust');
  if (!(Date.parse(head.expires) > time))
    return refuse('expired', `it expired at ${head.expires}`, 'sign the policy again');
  if (!(Date.parse(head.issued) <= time + clockError))
    return refuse(
      'future',
      `it was signed at ${head.issued}, which is in the future`,
      'set the clock of this host, or of whoever signed',
    );
  return orderOf(head, envelope.document, known.newest) ?? ok(head);
}

function orderOf(
  head: ReleaseHead,
  document: string,
  newest: ReleaseHead | undefined,
): Result<never, Refusal> | undefined {
  if (newest === undefined || documentText(newest) === document) return undefined;
  const order = head.trust - newest.trust || head.generation - newest.generation;
  if (order > 0) return undefined;
  return order < 0
    ? refuse(
        'older',
        `generation ${head.generation} is older than ${newest.generation}, known here`,
      )
    : refuse('fork', `another release of generation ${head.generation} is known here`);
}

export function verifyHost(
  { document, proof }: HostBundle['host'],
  head: ReleaseHead,
  known: Pick<Known, 'host'>,
): Result<HostDocument, Refusal> {
  if (rootFrom(document, proof) !== head.root)
    return refuse('not-in-release', "the host's document is not in the release that was signed");
  const parsed = parseHost(document);
  if (!parsed.ok) return refuseFor('malformed', parsed.error);
  const { fleet, host, generation } = parsed.value;
  if (fleet !== head.fleet || generation !== head.generation)
    return refuse('not-in-release', "the host's document is for another release");
  if (host !== known.host)
    return refuse('another-host', `it is for the host "${host}", not "${known.host}"`);
  return parsed;
}
