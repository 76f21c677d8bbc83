/**
 * The host's name servers, which tenants always reach at port 53. Clouds put theirs at addresses of metadata, such as
 * 169.254.169.254: without this, `metadata="no"` would end the resolution of names.
 *
 *     nameserver 169.254.169.254
 *     nameserver fe80::1%eth0                /etc/resolv.conf, resolv.conf(5)
 */
import { parseAddress } from '../../../packages/base/ip-address.ts';
import type { AddressRule, NetworkRules, Reach } from './rules.ts';

/** The library asks three; others read more. */
const serversMax = 8;
const port = 53;
/** The kernel's map has room for 32 rules of one address, those of metadata among them. */
const sameAddressMax = 28;

export const parseNameServers = (text: string): readonly Uint8Array[] =>
  text
    .split('\n')
    .flatMap((line) => {
      const address = /^\s*nameserver\s+([0-9A-Fa-f.:]{1,45})(?:%\S*)?\s*$/.exec(line)?.[1];
      return address === undefined ? [] : (parseAddress(address) ?? []);
    })
    .slice(0, serversMax);

/** An address whose port 53 the policy itself has a rule for is left to the policy. */
export function withNameServers(rules: NetworkRules, servers: readonly Uint8Array[]): NetworkRules {
  if (servers.length === 0) return rules;
  const known = new Map<Reach, Reach>();
  const widened = (reach: Reach): Reach => {
    const found = known.get(reach) ?? {
      ...reach,
      rules: [...reach.rules, ...missing(reach, servers)],
    };
    known.set(reach, found);
    return found;
  };
  const tenants = rules.tenants.map((each) =>
    each.reach === undefined ? each : { ...each, reach: widened(each.reach) },
  );
  return { ...rules, tenants };
}

function missing(reach: Reach, servers: readonly Uint8Array[]): readonly AddressRule[] {
  if (!refusesAddresses(reach)) return [];
  return servers.flatMap((address): AddressRule[] => {
    const same = reach.rules.filter((each) => isFor(each, address));
    if (same.some(({ ports }) => hasPort(ports)) || same.length > sameAddressMax) return [];
    const prefix = address.length * 8;
    return [
      {
        action: 'allow',
        address,
        prefix,
        ports: [{ first: port, last: port }],
        protocol: undefined,
      },
    ];
  });
}

const refusesAddresses = ({ metadata, others, rules }: Reach) =>
  !metadata || others === 'refuse' || rules.some(({ action }) => action === 'refuse');

const hasPort = (ports: AddressRule['ports']) =>
  ports.length === 0 || ports.some(({ first, last }) => first <= port && port <= last);

const isFor = ({ address, prefix }: AddressRule, server: Uint8Array) =>
  prefix === server.length * 8 &&
  address.length === server.length &&
  address.every((byte, at) => byte === server[at]);
