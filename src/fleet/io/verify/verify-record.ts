/** Verifies a rollout record: by a controller of the trust, by time, and by its order. */
import { ok, type Result } from '../../../../packages/base/result.ts';
import { namespaces, type ReleaseHead, type TrustDocument } from '../../core/documents.ts';
import { documentText } from '../../core/parse.ts';
import { refuse, refuseFor, type Refusal } from '../../core/refusal.ts';
import { parseRecord, parseRecordFile } from '../../core/rollout/parse-record.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import { clockError } from './verify-bundle.ts';
import { signersOf } from './verify-trust.ts';

/** The knowledge of a host or a controller about its fleet. */
export interface KnownRollout {
  readonly fleet: string;
  /** The newest trust. */
  readonly trust: TrustDocument;
  /** The newest head ever verified here. */
  readonly newest: Pick<ReleaseHead, 'issued'> | undefined;
  /** The newest record ever verified here. */
  readonly record: RolloutRecord | undefined;
}

/** Verifies the file of a record. `now` is in milliseconds since 1970. */
export function verifyRecord(
  text: string,
  known: KnownRollout,
  now: number,
): Result<RolloutRecord, Refusal> {
  const signed = verifySignedRecord(text, known);
  if (!signed.ok) return signed;
  const record = signed.value;
  // A clock that was set back does not make something old new again.
  const seen = [known.newest?.issued, known.record?.issued];
  const time = Math.max(now, ...seen.map((each) => (each === undefined ? 0 : Date.parse(each))));
  if (!(Date.parse(known.trust.expires) > time))
    return refuse(
      'trust-expired',
      `its trust expired at ${known.trust.expires}`,
      'renew the trust',
    );
  if (!(Date.parse(record.expires) > time))
    return refuse(
      'expired',
      `it expired at ${record.expires}`,
      'let a controller issue another one',
    );
  if (!(Date.parse(record.issued) <= time + clockError))
    return refuse('future', `it was issued at ${record.issued}, which is in the future`);
  return orderOf(record, known.record) ?? ok(record);
}

/** How long a record may be good, in milliseconds. */
export const recordMilliseconds = 86_400_000;

/** A time that is none is NaN, and fails each of these. */
function isOrdered({ opened, issued, expires }: RolloutRecord): boolean {
  const [from, at, until] = [Date.parse(opened), Date.parse(issued), Date.parse(expires)];
  return from <= at && at < until && until - at <= recordMilliseconds;
}

/** Verifies everything but the time and the order. */
export function verifySignedRecord(
  text: string,
  { fleet, trust }: Pick<KnownRollout, 'fleet' | 'trust'>,
): Result<RolloutRecord, Refusal> {
  const file = parseRecordFile(text);
  if (!file.ok) return refuseFor('malformed', file.error);
  const parsed = parseRecord(file.value.document);
  if (!parsed.ok) return refuseFor('malformed', parsed.error);
  const record = parsed.value;
  if (!isOrdered(record))
    return refuse('malformed', 'its times are not in order, or it is good for more than a day');
  if (record.fleet !== fleet)
    return refuse('another-fleet', `it is for the fleet "${record.fleet}", not "${fleet}"`);
  if (trust.controllers.length === 0)
    return refuse('no-controllers', `trust version ${trust.version} lists no controllers`);
  if (record.trust > trust.version)
    return refuse(
      'trust-gap',
      `it was issued under trust version ${record.trust}, and version ${trust.version} is known here`,
      'hand over the release first, which has the trust',
    );
  const { people, problems } = signersOf(
    file.value,
    { people: trust.controllers },
    namespaces.rollout,
  );
  if (people.length > 0) return ok(record);
  const why = problems.length === 0 ? '' : ` (${[...new Set(problems)].slice(0, 5).join('; ')})`;
  return refuse(
    'signatures',
    `no controller of trust version ${trust.version} has signed it${why}`,
  );
}

function orderOf(
  record: RolloutRecord,
  newest: RolloutRecord | undefined,
): Result<never, Refusal> | undefined {
  if (newest === undefined || documentText(newest) === documentText(record)) return undefined;
  const order = record.trust - newest.trust || record.sequence - newest.sequence;
  if (order > 0) return undefined;
  const name = `record ${record.sequence} of trust version ${record.trust}`;
  return order < 0
    ? refuse('older', `${name} is older than ${newest.sequence} of ${newest.trust}, known here`)
    : refuse('fork', `another ${name} is known here`);
}
