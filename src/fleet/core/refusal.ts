/** The reasons why a host or a signer refuses a document of a fleet. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, type Result } from '../../../packages/base/result.ts';

export type RefusalCode =
  /** It is not a bundle, or a document in it is malformed. */
  | 'malformed'
  | 'another-fleet'
  | 'another-host'
  /** The trust is older than the one that is known, or another one of the same version. */
  | 'trust-older'
  | 'trust-fork'
  /** The trust does not follow from the one that is known. */
  | 'trust-gap'
  | 'trust-signatures'
  | 'trust-expired'
  /** Too few people whom the trust lists have signed the release. */
  | 'signatures'
  | 'expired'
  /** It was signed in the future: one of the clocks is wrong. */
  | 'future'
  /** The release is older than one that is known, or another one of the same generation. */
  | 'older'
  | 'fork'
  /** The trust lists no controllers, so nobody may say how a release is rolled out. */
  | 'no-controllers'
  /** The host's document, or its policy, is not of this release. */
  | 'not-in-release'
  | 'policy-differs';

export interface Refusal extends Cause {
  readonly code: RefusalCode;
}

export const refuse = (code: RefusalCode, reason: string, hint?: string): Result<never, Refusal> =>
  fail({ code, reason, ...(hint !== undefined && { hint }) });

export const refuseFor = (code: RefusalCode, cause: Cause): Result<never, Refusal> =>
  fail({ code, ...cause });
