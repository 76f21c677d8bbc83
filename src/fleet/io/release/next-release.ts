/** Decides whether a policy is the next release, or one more signature on the last one that was made. */
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { namespaces, type ReleaseHead, type TrustDocument } from '../../core/documents.ts';
import type { Release } from '../../core/fleet-files.ts';
import { parseHead, parseTrust } from '../../core/parse.ts';
import type { KeptTrust } from '../directory/fleet-directory.ts';
import { signersOf, tooFewSigned } from '../verify/verify-trust.ts';
import { makeRelease, type Gate, type HeadFields, type ReleaseHosts } from './make-release.ts';
import { hostDocuments, notWhole } from './whole-release.ts';

/** The policy of the fleet as it is now. */
export interface FleetNow {
  readonly name: string;
  readonly gate: Gate;
  /** All hosts, by their policies. */
  readonly groups: readonly ReleaseHosts[];
}

export interface ReleaseChoice {
  /** Agree to a large change. */
  readonly large?: boolean;
  /** Make a release although nothing has changed, which is good for longer. */
  readonly again?: boolean;
  /** How long hosts accept it, in milliseconds. */
  readonly expires: number;
}

export interface NextRelease {
  readonly release: Release;
  readonly head: ReleaseHead;
  /** Whether enough people have signed, and nothing has changed since. */
  readonly isComplete: boolean;
  /** The people whose signatures are of another policy under this number, which too few had signed. */
  readonly dropped: readonly string[];
  /** The number of hosts whose policy is another one than in the last release; undefined if there is none that was signed. */
  readonly changed: number | undefined;
}

interface Kept {
  readonly trust: KeptTrust;
  /** The last release that was made here. */
  readonly last: Release | undefined;
}

/** Returns the release to sign. `now` is in milliseconds since 1970. */
export function nextRelease(
  fleet: FleetNow,
  { trust: { trust, chain }, last }: Kept,
  choice: ReleaseChoice,
  now: number,
): Result<NextRelease, Cause> {
  if (fleet.name !== trust.fleet)
    return fail({
      reason: `fleet.xml is of the fleet "${fleet.name}", and trust.json of "${trust.fleet}"`,
    });
  const before =
    last &&
    lastOf(
      last,
      chain.map(({ document }) => document),
    );
  if (before?.ok === false) return before;
  if (before !== undefined) {
    const same = sameRelease(fleet, before.value, trust, choice, now);
    if (same !== undefined) return same.isComplete ? ok(same) : coSigned(same, choice, now);
  }
  const fields: HeadFields = {
    fleet: fleet.name,
    generation: before === undefined ? 1 : before.value.nextGeneration,
    trust: trust.version,
    ...fleet.gate,
    large: choice.large === true,
    issued: new Date(now).toISOString(),
    expires: new Date(now + choice.expires).toISOString(),
  };
  const release = makeRelease(fields, fleet.groups);
  const head = parseHead(release.head.document);
  if (!head.ok) return head;
  return ok({
    release,
    head: head.value,
    isComplete: false,
    dropped: before === undefined ? [] : signedAlone(before.value, trust),
    changed: before && changedHosts(before.value, release),
  });
}

interface Last {
  readonly release: Release;
  readonly head: ReleaseHead;
  /** Whether too few people had signed. */
  readonly isShort: boolean;
  /** The number of the release after it: the same one while too few people had signed. */
  readonly nextGeneration: number;
}

function lastOf(release: Release, chain: readonly string[]): Result<Last, Cause> {
  const head = parseHead(release.head.document);
  if (!head.ok) return fail({ ...head.error, reason: `release.json: ${head.error.reason}` });
  const { generation, trust: version, fleet } = head.value;
  const trust = parseTrust(chain[version - 1] ?? '');
  if (trust.ok && trust.value.fleet !== fleet)
    return fail({ reason: `release.json is of the fleet "${fleet}"` });
  // Anybody may have changed the file. A number that nobody signed could use up all others.
  if (!trust.ok || signersOf(release.head, trust.value, namespaces.release).people.length === 0)
    return fail({
      reason: `release.json is not signed by anybody of trust version ${version}`,
      hint: 'get it, and trust.json, again from whoever signed',
    });
  const isShort = tooFewSigned(release.head, trust.value, namespaces.release) !== undefined;
  const nextGeneration = isShort ? generation : generation + 1;
  return ok({ release, head: head.value, isShort, nextGeneration });
}

/** Returns the head of the last release, if enough people have signed it, and all of it. */
export function lastSigned(
  release: Release,
  { chain }: Pick<KeptTrust, 'chain'>,
): Result<ReleaseHead, Cause> {
  const last = lastOf(
    release,
    chain.map(({ document }) => document),
  );
  if (!last.ok) return last;
  const { head, isShort } = last.value;
  if (isShort)
    return fail({
      reason: `release.json has generation ${head.generation}, which too few people have signed, and not the release before`,
      hint: 'compare with the file as it was before',
    });
  const cause = notWhole(release, head);
  return cause === undefined ? ok(head) : fail(cause);
}

/** Returns the last release, if it says the same and can be used, or can still be signed. */
function sameRelease(
  { gate, groups }: FleetNow,
  { release: last, head, isShort }: Last,
  trust: TrustDocument,
  { large, again }: ReleaseChoice,
  now: number,
): NextRelease | undefined {
  const isUsable = Date.parse(head.expires) > now && (large !== true || head.large);
  if (!isUsable || (again === true && !isShort)) return undefined;
  const same = makeRelease({ ...head, ...gate }, groups);
  if (same.head.document !== last.head.document) return undefined;
  const isComplete = tooFewSigned(last.head, trust, namespaces.release) === undefined;
  if (!isComplete && !(isShort && head.trust === trust.version)) return undefined;
  return { release: { ...same, head: last.head }, head, isComplete, changed: 0, dropped: [] };
}

/** Returns who has signed a release that too few people have signed. */
const signedAlone = ({ release, isShort }: Last, trust: TrustDocument) =>
  isShort ? signersOf(release.head, trust, namespaces.release).people.map(({ name }) => name) : [];

/** Whoever adds a signature agrees to all that the head says, and not only to the policies. */
function coSigned(
  next: NextRelease,
  { large, expires }: ReleaseChoice,
  now: number,
): Result<NextRelease, Cause> {
  const { head } = next;
  if (head.large && large !== true)
    return fail({
      reason: `generation ${head.generation} agrees to a large change`,
      hint: 'pass "--large" if you agree as well',
    });
  if (Date.parse(head.expires) > now + expires)
    return fail({
      reason: `generation ${head.generation} expires only at ${head.expires}`,
      hint: 'pass a longer "--expires" if you agree',
    });
  return ok(next);
}

/** Returns undefined if the release before is not what people signed: anybody may have changed the file. */
function changedHosts(
  { release: before, head, isShort }: Last,
  after: Release,
): number | undefined {
  if (isShort || notWhole(before, head) !== undefined) return undefined;
  const known = policiesOf(before);
  return [...policiesOf(after)].filter(([host, hash]) => known.get(host) !== hash).length;
}

const policiesOf = (release: Release): ReadonlyMap<string, string> =>
  new Map(hostDocuments(release).map(({ host, policy }) => [host, policy.sha256]));
