/** A controller: makes, signs and puts the record that follows from the last one. Another one may do so at the same time. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { TrustDocument } from '../../core/documents.ts';
import { documentText } from '../../core/parse.ts';
import type { Centre } from '../../core/rollout/centre.ts';
import { recordFileText } from '../../core/rollout/parse-record.ts';
import { releaseIn } from '../../core/rollout/plan.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import { stepFor, type RolloutWord } from '../../core/rollout/steps.ts';
import { clockError } from '../verify/verify-bundle.ts';
import { recordMilliseconds, verifyRecord, verifySignedRecord } from '../verify/verify-record.ts';
import type { PublishedFleet } from './published.ts';

/** Returns the signature of a text, for records of rollouts. */
export type SignRecord = (text: string) => Result<string, Problem>;

/** The last record of a centre. */
export interface LastRecord {
  /** Undefined: there is none, or none that a controller of the trust has signed. */
  readonly record: RolloutRecord | undefined;
  /** The number that the centre gave it; 0: there is none. */
  readonly sequence: number;
  /** Its file. */
  readonly text?: string;
  /** Why the one that is there does not count. */
  readonly problem?: string;
}

export async function lastRecord(
  centre: Centre,
  trust: TrustDocument,
): Promise<Result<LastRecord, Problem>> {
  const stored = await centre.record();
  if (!stored.ok) return stored;
  if (stored.value === undefined) return ok({ record: undefined, sequence: 0 });
  const { text, sequence } = stored.value;
  const verified = verifySignedRecord(text, { fleet: trust.fleet, trust });
  if (verified.ok) return ok({ record: verified.value, sequence, text });
  return ok({ record: undefined, sequence, text, problem: verified.error.reason });
}

/** A word of people, or of a controller. */
export interface Said {
  readonly word: RolloutWord;
  readonly reason?: string;
}

export interface PutRecord {
  readonly record: RolloutRecord;
  /** Its file. */
  readonly text: string;
  /** The number that the centre gave it. */
  readonly sequence: number;
}

/** Puts the record that follows. `conflict`: another one has come since `last` was read, and nothing was put. */
export async function say(
  { word, reason = '' }: Said,
  { trust, plan }: PublishedFleet,
  saying: Saying,
): Promise<Result<PutRecord | 'conflict', Problem>> {
  const last = saying.last.record;
  const step = stepFor(word, plan, last, reason);
  const action = actionOf(word);
  if (!step.ok) return failed({ action, object: `fleet ${trust.fleet}`, ...step.error });
  const { isOpened, ...next } = step.value;
  return await putNext(
    action,
    {
      ...next,
      release: word === 'start' || last === undefined ? releaseIn(plan) : last.release,
      opened: isOpened ? undefined : last?.opened,
    },
    trust,
    saying,
  );
}

const actionOf = (word: RolloutWord) => `${word} the rollout of`;

/** The contents of the next record. */
export interface NextRecord extends Pick<RolloutRecord, 'verdict' | 'wave' | 'reason' | 'release'> {
  /** Undefined: hosts have their time from now on. */
  readonly opened: string | undefined;
}

/** Signs and puts the record after the last one. */
export async function putNext(
  action: string,
  next: NextRecord,
  trust: TrustDocument,
  { centre, last, sign, now }: Saying,
): Promise<Result<PutRecord | 'conflict', Problem>> {
  const record = recordAfter(last.record, next, trust, now);
  const document = documentText(record);
  const signature = sign(document);
  if (!signature.ok) return signature;
  const text = recordFileText({ document, signatures: [signature.value] });
  // What is put must be what hosts accept.
  const known = { fleet: trust.fleet, trust, newest: undefined, record: undefined };
  const verified = verifyRecord(text, known, now);
  if (!verified.ok) {
    const { code: _code, ...cause } = verified.error;
    return failed({ action, object: `fleet ${trust.fleet}`, ...cause });
  }
  const put = await centre.put(text, last.sequence);
  if (!put.ok) return put;
  return ok(put.value.kind === 'conflict' ? 'conflict' : { ...put.value, record, text });
}

export interface Saying {
  readonly centre: Centre;
  readonly last: LastRecord;
  readonly sign: SignRecord;
  /** Milliseconds since 1970. */
  readonly now: number;
}

function recordAfter(
  last: RolloutRecord | undefined,
  { release, verdict, wave, reason, opened }: NextRecord,
  trust: TrustDocument,
  now: number,
): RolloutRecord {
  // Hosts compare with what they have seen, so times do not run backwards; and a wave that is opened anew has another
  // time than before. They have refused what is far ahead.
  const before = last === undefined ? 0 : Date.parse(last.issued);
  const at = before > now + clockError ? now : Math.max(now, before + 1);
  const issued = new Date(at).toISOString();
  return {
    format: 1,
    fleet: trust.fleet,
    trust: trust.version,
    sequence: sequenceAfter(last, trust.version, at),
    after: last?.sequence ?? 0,
    release,
    verdict,
    wave,
    opened: opened === undefined || Date.parse(opened) > at ? issued : opened,
    issued,
    expires: new Date(at + recordMilliseconds).toISOString(),
    reason,
  };
}

/** A number larger than those of records that were lost here, and that hosts know: the time. Each trust begins anew. */
function sequenceAfter(last: RolloutRecord | undefined, trust: number, at: number): number {
  const following = last === undefined || last.trust < trust ? 1 : last.sequence + 1;
  return Math.max(following, at);
}
