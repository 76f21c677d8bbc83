/** One line of the `doctor --security` report. */

/**
 * `state` is reported without a recommendation: it is right for one host and wrong for another. `unavailable` is not
 * `good`: the kernel lacks the protection, or does not report it.
 */
export type SecurityVerdict = 'good' | 'lacking' | 'covered' | 'state' | 'unavailable';

export interface SecurityItem {
  /** The protection's name, for people. */
  readonly item: string;
  /** The source of the value: a sysctl, a file. */
  readonly key: string;
  /** The judgement of the current value. */
  readonly verdict: SecurityVerdict;
  readonly now: string | undefined;
  readonly wanted: string | undefined;
  /** The purpose of the protection. */
  readonly why: string;
  readonly breaks: string | undefined;
  readonly since: string | undefined;
  /** The remedy if the protection is missing, or another note. */
  readonly remark: string | undefined;
}
