/** The network rules of a policy on this host: with its subordinate uids, and the ports that serve tenants. */
import { readSubordinateUids } from '../../host/accounts/subordinate-uids.ts';
import type { Paths } from '../../host/paths.ts';
import { findTenant, nameOf, type Policy } from '../../policy/policy.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { parseNameServers, withNameServers } from '../core/name-servers.ts';
import { networkRules } from '../core/policy-rules.ts';
import { readServedPorts } from './served-ports.ts';
import type { NetworkRules, PortRange } from '../core/rules.ts';

/** Returns undefined if the policy has nothing about the network. */
export const hostRules = (paths: Paths, policy: Policy): NetworkRules | undefined =>
  new HostRules(paths).of(policy);

/** The rules of one policy after the other. They are the same object while nothing has changed. */
export class HostRules {
  readonly #paths: Paths;
  #policy: Policy | undefined;
  /** The rules of the policy, whatever the host has. */
  #ofPolicy: NetworkRules | undefined;
  #facts = '';
  #rules: NetworkRules | undefined;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  of(policy: Policy): NetworkRules | undefined {
    if (policy !== this.#policy) {
      this.#policy = policy;
      this.#ofPolicy = networkRules(policy, { ranges: [], servedPorts: new Map() });
      this.#facts = '';
    }
    if (this.#ofPolicy === undefined) return undefined;
    const { servers, ranges, servedPorts } = readFacts(this.#paths, policy);
    const facts = JSON.stringify([servers, ranges, [...servedPorts]]);
    if (facts !== this.#facts) {
      const addresses = parseNameServers(servers);
      this.#rules = { ...withNameServers(this.#ofPolicy, addresses), ranges, servedPorts };
      this.#facts = facts;
    }
    return this.#rules;
  }
}

function readFacts(paths: Paths, policy: Policy) {
  const uids = new Set(policy.tenants.map(({ uid }) => uid));
  return {
    servers: readText(`${paths.etc}/resolv.conf`) ?? '',
    ranges: readSubordinateUids(paths, uids),
    servedPorts: readServedPorts(paths, (user) => uidOf(policy, user)).ports,
  };
}

/** Returns notes on ports of pools: those of two tenants, and files that cannot be read. */
export const servedPortRemarks = (paths: Paths, policy: Policy): readonly string[] =>
  readServedPorts(paths, (user) => uidOf(policy, user)).remarks;

/** Returns the uid of a tenant, by its account's name or by the uid in digits. */
const uidOf = (policy: Policy, user: string): number | undefined => findTenant(policy, user)?.uid;

/** Returns the ports that are kept for tenants. */
export const keptPorts = ({ tenants }: NetworkRules): readonly PortRange[] =>
  tenants.flatMap(({ listen }) => listen?.ports ?? []);

/** Whether anybody has a rate of sending, which waits in the queues of devices. */
export const hasSendLimit = ({ tenants, resellers }: NetworkRules): boolean =>
  [...tenants.map(({ limits }) => limits), ...resellers.values()].some(
    ({ send }) => send !== undefined,
  );

/** Returns whose port it is on this host, for people; empty if it is nobody's that is known. */
export function ownerOfPort(
  { tenants, servedPorts }: NetworkRules,
  policy: Policy,
  port: number,
): string {
  const kept = tenants.find(({ listen }) =>
    listen?.ports.some(({ first, last }) => first <= port && port <= last),
  );
  const uid = kept?.uid ?? servedPorts.get(port);
  const tenant = policy.tenants.find((each) => each.uid === uid);
  return tenant === undefined ? '' : nameOf(tenant);
}
