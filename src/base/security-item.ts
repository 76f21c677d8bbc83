/** A line of what `doctor --security` says of a host. */

/**
 * `state` is told without a demand: right for one host, wrong for another. `unavailable` is not `good`: the kernel does
 * not have the protection, or does not tell.
 */
export type SecurityVerdict = 'good' | 'lacking' | 'covered' | 'state' | 'unavailable';

export interface SecurityItem {
  readonly item: string;
  /** What is read: a sysctl, a file. */
  readonly key: string;
  readonly verdict: SecurityVerdict;
  readonly now: string | undefined;
  readonly wanted: string | undefined;
  readonly why: string;
  readonly breaks: string | undefined;
  readonly since: string | undefined;
  /** What to do where it is lacking, and what else there is to say. */
  readonly remark: string | undefined;
}
