/** `bulkhead network test TENANT :PORT`: whether a tenant may open a port of this host, and who may connect to it. */
import type { LineIndex, Span } from '../../policy/diagnostic.ts';
import { linesOf, writtenPlace } from '../../policy/fleet/merged.ts';
import { formatPorts, listenOf } from '../../policy/network/reach.ts';
import { listenOriginOf } from '../../policy/network/reach-origins.ts';
import { nameOf, type Policy, type Tenant } from '../../policy/policy.ts';
import { decideOpen, decidePublic, type Decision } from '../core/decide.ts';
import { placeOf } from '../core/decider-place.ts';
import type { NetworkRules } from '../core/rules.ts';
import type { TestedPortJson } from './json.ts';

/** Returns the port of `:7001`; undefined for anything else. */
export function ownPort(to: string): number | undefined {
  const port = /^:[1-9]\d{0,4}$/.test(to) ? Number(to.slice(1)) : undefined;
  return port !== undefined && port <= 65_535 ? port : undefined;
}

/** Returns the line of a place, and its file if it is not the policy's own. */
export function lineOf(lines: LineIndex, at: Pick<Span, 'start'>) {
  const { line, file } = writtenPlace(lines, at);
  return { line, ...(file !== undefined && { lineFile: file }) };
}

/** Returns both decisions: to open the port, and a connection from another host. */
export function testPort(
  port: number,
  tenant: Tenant,
  policy: Policy,
  rules: NetworkRules | undefined,
): readonly TestedPortJson[] {
  const own = listenOriginOf(tenant.chain)?.at;
  const opened = rules === undefined ? undefined : decideOpen(tenant.uid, port, rules);
  const holder = policy.tenants.find((each) => keeps(each, port));
  const kept = holder && listenOriginOf(holder.chain)?.at;
  const ports = formatPorts((kept?.ports ?? []).map(({ value }) => value));
  const lines = linesOf(policy);
  const answer = (
    question: TestedPortJson['question'],
    { outcome, kind, by }: Pick<Decision, 'outcome' | 'kind' | 'by'>,
    listen: typeof own,
    text: string,
  ): TestedPortJson => {
    const place = by && listen && placeOf(by, { listen });
    return {
      question,
      outcome,
      ...(kind && { kind }),
      ...(place && { by: text, ...lineOf(lines, place) }),
    };
  };
  const keptFor = holder === undefined ? '' : `ports="${ports}" of ${nameOf(holder)}`;
  return [
    answer('open', opened ?? { outcome: 'allowed' }, kept, keptFor),
    answer('public', decidePublic(own && listenOf(own)), own, 'public="no"'),
  ];
}

const keeps = ({ chain }: Tenant, port: number): boolean =>
  listenOriginOf(chain)?.at.ports.some(
    ({ value: { first, last } }) => first <= port && port <= last,
  ) === true;
