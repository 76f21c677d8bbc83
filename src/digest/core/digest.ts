/** The contents of a digest: what an account has reached, comes close to, or will reach. */
import type { LimitKey } from '../../limits/limit.ts';

export type Finding =
  /** A limit was reached. */
  | {
      readonly kind: 'reached';
      readonly limit: LimitKey;
      readonly value: string;
      readonly times: number;
    }
  /** Use was above the share of the limit for 5 % of the time. */
  | {
      readonly kind: 'busy';
      readonly limit: LimitKey;
      readonly used: string;
      readonly value: string;
      readonly fraction: number;
    }
  /** Disk space or files, now. */
  | {
      readonly kind: 'disk';
      readonly limit: 'disk.space' | 'disk.files';
      readonly used: string;
      readonly value: string;
      readonly fraction: number;
    }
  /** The time at which disk space will be full, in milliseconds since 1970. */
  | { readonly kind: 'full'; readonly at: number };

export interface DigestAccount {
  /** The account's name. */
  readonly name: string;
  /** Whether it is the sum of a reseller's tenants. */
  readonly isSum: boolean;
  readonly findings: readonly Finding[];
}

export interface Digest {
  readonly address: string;
  readonly language: string;
  /** The accounts with findings. */
  readonly accounts: readonly DigestAccount[];
  /** The period, in milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}
