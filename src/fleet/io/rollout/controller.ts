/** A controller: makes, signs and puts the record that follows from the last one. Another one may do so at the same time. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { namespaces, type TrustDocument } from '../../core/documents.ts';
import { documentText } from '../../core/parse.ts';
import type { Centre } from '../../core/rollout/centre.ts';
import { recordFileText } from '../../core/rollout/parse-record.ts';
import { releaseIn, type RolloutPlan } from '../../core/rollout/plan.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import { stepFor, type RolloutStep, type RolloutWord } from '../../core/rollout/steps.ts';
import { recordMilliseconds, verifySignedRecord } from '../verify/verify-record.ts';
import type { PublishedFleet } from './published.ts';

/** Returns the signature of a text. */
export type SignRecord = (text: string, namespace: string) => Result<string, Problem>;

/** The last record of a centre. */
export interface LastRecord {
  /** Undefined: there is none, or none that a controller of the trust has signed. */
  readonly record: RolloutRecord | undefined;
  /** The number that the centre gave it; 0: there is none. */
  readonly sequence: number;
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
  if (verified.ok) return ok({ record: verified.value, sequence });
  return ok({ record: undefined, sequence, problem: verified.error.reason });
}

/** A word of people, or of a controller. */
export interface Said {
  readonly word: RolloutWord;
  readonly reason?: string;
}

/** Puts the record that follows. `conflict`: another one has come since `last` was read, and nothing was put. */
export async function say(
  { word, reason = '' }: Said,
  { trust, plan }: PublishedFleet,
  { centre, last, sign, now }: Saying,
): Promise<Result<RolloutRecord | 'conflict', Problem>> {
  const action = `${word} the rollout of`;
  const object = `fleet ${trust.fleet}`;
  const step = stepFor(word, plan, last.record, reason);
  if (!step.ok) return failed({ action, object, ...step.error });
  const record = recordAfter(last.record, step.value, {
    trust,
    plan,
    now,
    isRenewed: word === 'renew',
  });
  const document = documentText(record);
  const signature = sign(document, namespaces.rollout);
  if (!signature.ok) return signature;
  const text = recordFileText({ document, signatures: [signature.value] });
  // What is put must be what hosts accept.
  const verified = verifySignedRecord(text, { fleet: trust.fleet, trust });
  if (!verified.ok) return failed({ action, object, reason: verified.error.reason });
  const put = await centre.put(text, last.sequence);
  if (!put.ok) return put;
  return ok(put.value.kind === 'conflict' ? 'conflict' : record);
}

interface Saying {
  readonly centre: Centre;
  readonly last: LastRecord;
  readonly sign: SignRecord;
  /** Milliseconds since 1970. */
  readonly now: number;
}

interface After {
  readonly trust: TrustDocument;
  readonly plan: RolloutPlan;
  readonly now: number;
  /** Whether it says the same again, of whatever release that is. */
  readonly isRenewed: boolean;
}

function recordAfter(
  last: RolloutRecord | undefined,
  { verdict, wave, reason, isOpened }: RolloutStep,
  { trust, plan, now, isRenewed }: After,
): RolloutRecord {
  // Times never run backwards from one record to the next: hosts compare with what they have seen.
  const at = Math.max(now, last === undefined ? 0 : Date.parse(last.issued));
  const issued = new Date(at).toISOString();
  return {
    format: 1,
    fleet: trust.fleet,
    trust: trust.version,
    // Larger than those of records that were lost here, and that hosts know.
    sequence: Math.max((last?.sequence ?? 0) + 1, Math.floor(at / 1000)),
    release: isRenewed && last !== undefined ? last.release : releaseIn(plan),
    verdict,
    wave,
    opened: isOpened || last === undefined ? issued : last.opened,
    issued,
    expires: new Date(at + recordMilliseconds).toISOString(),
    reason,
  };
}
