/** What a capability adds to `doctor --security`, as the report has it. */
export interface SecurityItem {
  readonly item: string;
  /** What is read: a sysctl, a file, a kind of service. */
  readonly key: string;
  /** `state` is told without a demand: right for one host, wrong for another. */
  readonly verdict: 'good' | 'lacking' | 'covered' | 'state' | 'unavailable';
  readonly now: string | undefined;
  readonly wanted: string | undefined;
  readonly why: string;
  readonly breaks: string | undefined;
  readonly since: string | undefined;
  readonly remark: string | undefined;
}
