/**
 * Decides as `bpf/network.bpf.c` does whether a tenant may connect, open a port, or be connected to, and names the rule that
 * decides. For connections, in this order:
 *
 *     this host        refused if another tenant serves the port, and nothing else is asked
 *     mail             the ports that `mail` refuses, by TCP
 *     all hosts        datagrams to them reach services of neighbours as well: refused by `tenants`
 *     protocols        none but TCP, UDP and ICMP
 *     rules            the longest prefix; at the same prefix an <allow>, then a <refuse>, then metadata
 *     others           addresses without a rule
 */
import { samePrefix, unmapped } from '../../../packages/base/ip-address.ts';
import {
  mailPorts,
  metadataPrefixes,
  type AddressPrefix,
  type AddressRule,
  type Listen,
  type PortRange,
  type Reach,
} from '../../policy/network/reach.ts';
import type { NetworkRules, TenantNetwork } from './rules.ts';
import type { NetworkRefusalKind } from './use.ts';

export interface Destination {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'other';
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** 0 where the protocol has none. */
  readonly port: number;
  /** Whether it is the last address of one of this host's networks, which stands for all its hosts. */
  readonly isBroadcast?: boolean;
}

/** The destination, if it is on this host. */
export interface HereFacts {
  /** The uid of the tenant that listens there, or is served there; undefined: root, a daemon, or nobody. */
  readonly tenant?: number;
}

/** The part of a `<reach>` or `<listen>` that decides; a rule by its index. */
export type Decider =
  | 'mail'
  | 'tenants'
  | 'metadata'
  | 'others'
  | 'protocol'
  | 'ports'
  | 'public'
  | { readonly rule: number };

export interface Decision {
  /** `reported`: it goes through, and is reported as if it were refused. `relayed`: to the mail server of this host. */
  readonly outcome: 'allowed' | 'refused' | 'reported' | 'relayed';
  readonly kind?: NetworkRefusalKind;
  /** Undefined: no part of the policy is about it. */
  readonly by?: Decider;
}

const allowed: Decision = { outcome: 'allowed' };

const against = (mode: Reach['mode'], kind: NetworkRefusalKind, by: Decider): Decision => ({
  outcome: mode === 'watch' ? 'reported' : 'refused',
  kind,
  by,
});

/** Decides a connection, or a datagram. `here`: what is known of a destination on this host. */
export function decideConnect(
  { uid, reach }: Pick<TenantNetwork, 'uid' | 'reach'>,
  destination: Destination,
  here?: HereFacts,
): Decision {
  if (reach === undefined) return allowed;
  if (here !== undefined) return decideHere(uid, reach, destination, here);
  const { protocol, port } = destination;
  const { mode } = reach;
  if (protocol === 'tcp' && mailPorts[reach.mail].includes(port)) {
    return reach.mail === 'relay' && mode === 'refuse'
      ? { outcome: 'relayed', by: 'mail' }
      : against(mode, 'reach.mail', 'mail');
  }
  if (!reach.tenants && protocol === 'udp' && isForAll(destination))
    return against(mode, 'reach.tenants', 'tenants');
  if (protocol === 'other') return against(mode, 'reach.address', 'protocol');
  const found = firstRule(reach, destination);
  if (found === undefined)
    return reach.others === 'refuse' ? against(mode, 'reach.address', 'others') : allowed;
  const { by, action } = found;
  if (action === 'allow') return { outcome: 'allowed', by };
  return against(mode, by === 'metadata' ? 'reach.metadata' : 'reach.address', by);
}

/** Whether a datagram there reaches every service of its port: multicast and broadcast. */
function isForAll({ address, isBroadcast = false }: Destination): boolean {
  const [first = 0, ...rest] = unmapped(address);
  if (rest.length > 3) return first === 0xff;
  return isBroadcast || first >> 4 === 0xe || [first, ...rest].every((byte) => byte === 0xff);
}

function decideHere(
  uid: number,
  { tenants, mode }: Reach,
  { protocol }: Destination,
  { tenant }: HereFacts,
): Decision {
  if (tenants || tenant === undefined || tenant === uid) return allowed;
  if (protocol !== 'tcp' && protocol !== 'udp') return allowed;
  return against(mode, 'reach.tenants', 'tenants');
}

interface FoundRule {
  readonly by: 'metadata' | { readonly rule: number };
  readonly action: AddressRule['action'];
}

/** Returns the rule that decides. */
function firstRule({ rules, metadata }: Reach, destination: Destination): FoundRule | undefined {
  const address = unmapped(destination.address);
  const bits = ({ prefix, address: own }: AddressPrefix) =>
    samePrefix(own, address, prefix) ? prefix : -1;
  let best: (FoundRule & { readonly bits: number }) | undefined;
  for (const [rule, each] of rules.entries()) {
    const found = asks(each, destination) ? bits(each) : -1;
    const isBetter =
      found > (best?.bits ?? -1) ||
      (found === best?.bits && each.action === 'allow' && best.action === 'refuse');
    if (found >= 0 && isBetter) best = { by: { rule }, action: each.action, bits: found };
  }
  const services = metadata ? [] : metadataPrefixes.filter((each) => asks(each, destination));
  const ofMetadata = Math.max(-1, ...services.map(bits));
  return ofMetadata > (best?.bits ?? -1) ? { by: 'metadata', action: 'refuse' } : best;
}

/** Whether a rule is about this protocol and port, if the address matches. */
const asks = (
  { ports, protocol }: Pick<AddressRule, 'ports'> & Partial<AddressRule>,
  to: Destination,
): boolean =>
  (protocol === undefined || protocol === to.protocol) &&
  (ports.length === 0 || ports.some((range) => contains(range, to.port)));

const contains = ({ first, last }: PortRange, port: number): boolean =>
  port >= first && port <= last;

/** Decides whether a tenant may open a port, which may be kept for another one. */
export function decideOpen(uid: number, port: number, { tenants }: NetworkRules): Decision {
  const holder = tenants.find(({ listen }) => listen?.ports.some((each) => contains(each, port)));
  if (holder?.listen === undefined || holder.uid === uid) return allowed;
  return against(holder.listen.mode, 'listen.ports', 'ports');
}

/** Decides whether another host may connect to a port of the tenant's, by TCP. */
export const decidePublic = (listen: Listen | undefined): Decision =>
  listen === undefined || listen.public ? allowed : against(listen.mode, 'listen.public', 'public');
