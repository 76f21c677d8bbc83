/** Explanation of what a tenant may reach and open: each part of it with its line in the policy. */
import type { LineIndex, Span } from '../diagnostic.ts';
import { writtenPlace } from '../fleet/merged.ts';
import type { Chain, Link } from '../policy.ts';
import { formatPorts, formatRule, type ListenElement, type ReachElement } from './reach.ts';
import { listenOriginOf, reachOriginOf } from './reach-origins.ts';

/** An attribute or a rule of <reach> or <listen>. */
export interface ExplainedRule {
  /** The attribute, or the rule: `reach mail`, `reach rule`, `listen ports`. */
  readonly setting: string;
  /** The value: `submission`, `refuse 10.0.0.0/8, tcp, ports 25`. */
  readonly value: string;
  /** The reason that the policy gives for a rule; absent if it gives none. */
  readonly reason?: string;
  /** The element of the policy that it is from, for people. */
  readonly from: string;
  /** The line of the attribute or the rule; of the element if the attribute is not written. */
  readonly line: number;
  /** The file of the line, if it is not the policy's own. */
  readonly file?: string;
}

type Row = Pick<ExplainedRule, 'setting' | 'value' | 'reason'> & { readonly at: Span };

/** Explains both elements; empty if the tenant has neither. `describe` names the element that it is from. */
export function explainNetwork(
  chain: Chain,
  describe: (link: Link) => string,
  lines: LineIndex,
): readonly ExplainedRule[] {
  const [reach, listen] = [reachOriginOf(chain), listenOriginOf(chain)];
  const explained = (link: Link, rows: readonly Row[]) =>
    rows.map(({ at, ...row }) => ({
      ...row,
      from: describe(link),
      ...writtenPlace(lines, at),
    }));
  return [
    ...(reach ? explained(reach.link, reachRows(reach.at)) : []),
    ...(listen ? explained(listen.link, listenRows(listen.at)) : []),
  ];
}

const yesOrNo = (value: boolean) => (value ? 'yes' : 'no');

const reachRows = (reach: ReachElement): readonly Row[] => [
  { setting: 'reach mail', value: reach.mail.value, at: reach.mail },
  { setting: 'reach tenants', value: yesOrNo(reach.tenants.value), at: reach.tenants },
  { setting: 'reach metadata', value: yesOrNo(reach.metadata.value), at: reach.metadata },
  ...reach.rules.map((rule) => ({
    setting: 'reach rule',
    value: formatRule(rule),
    ...(rule.reason !== undefined && { reason: rule.reason }),
    at: rule,
  })),
  { setting: 'reach others', value: reach.others.value, at: reach.others },
  { setting: 'reach mode', value: reach.mode.value, at: reach.mode },
];

const listenRows = ({ ports, ...listen }: ListenElement): readonly Row[] => [
  {
    setting: 'listen ports',
    value: ports.length === 0 ? 'none' : formatPorts(ports.map(({ value }) => value)),
    at: ports[0] ?? listen,
  },
  { setting: 'listen public', value: yesOrNo(listen.public.value), at: listen.public },
  { setting: 'listen mode', value: listen.mode.value, at: listen.mode },
];
