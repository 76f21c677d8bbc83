/**
 * Address rules as the map `denied` of `bpf/network.bpf.c` has them. The kernel finds the longest prefix that holds an
 * address, and only that one. So each prefix has its own rules and those of all shorter ones that hold it, in the order in
 * which they are asked.
 */
import { isMapped, samePrefix } from '../../../../packages/base/ip-address.ts';
import type { MapEntry } from '../../../../packages/base/map-entry.ts';
import { metadataPrefixes } from '../../../policy/network/reach.ts';
import type { AddressRule, Reach } from '../rules.ts';

/** IPv4 addresses are those of IPv6 that stand for them: ::ffff:192.0.2.1. */
export function mappedAddress(address: Uint8Array): Uint8Array {
  if (address.length === 16) return address;
  const mapped = new Uint8Array(16);
  mapped.set([0xff, 0xff], 10);
  mapped.set(address, 12);
  return mapped;
}

const mappedBits = 96;
const listBits = 32;
const portsMax = 65_535;
/** The rules that the kernel asks for one prefix. */
export const prefixRulesMax = 32;
export const prefixKeyBytes = 24;
const ruleBytes = 6;
export const prefixRulesBytes = 4 + prefixRulesMax * ruleBytes;

/** A prefix as the kernel compares it. */
interface Prefix {
  readonly address: Uint8Array;
  readonly bits: number;
  readonly isIpv4: boolean;
}

/** The decision of a rule: `enum answer_of_rule` of bpf/reach.h. At the same prefix, the later ones here are asked first. */
const answers = { metadata: 2, refuse: 0, allow: 1 } as const;
type Answer = keyof typeof answers;
const precedence = Object.keys(answers) as Answer[];

/** A rule for one range of ports. */
interface Asked {
  readonly first: number;
  readonly last: number;
  readonly protocol: 0 | 6 | 17;
  readonly answer: Answer;
}

/** A rule of the policy, or one for metadata services. */
type ListedRule = Omit<AddressRule, 'action'> & { readonly action: Answer };

const metadataRules: readonly ListedRule[] = metadataPrefixes.map((each) => ({
  ...each,
  action: 'metadata',
  protocol: undefined,
}));

/** Returns all rules that decide about addresses for a tenant. */
export const listedRules = ({ rules, metadata }: Pick<Reach, 'rules' | 'metadata'>) =>
  metadata ? rules : [...rules, ...metadataRules];

function prefixOf({ address, prefix }: ListedRule): Prefix {
  const mapped = mappedAddress(address);
  const bits = address.length === 16 ? prefix : mappedBits + prefix;
  return { address: mapped, bits, isIpv4: isMapped(mapped) && bits >= mappedBits };
}

const nameOf = ({ address, bits, isIpv4 }: Prefix) =>
  `${isIpv4 ? 4 : 6} ${address.toHex()}/${bits}`;

const holds = (outer: Prefix, inner: Prefix): boolean =>
  outer.isIpv4 === inner.isIpv4 &&
  outer.bits <= inner.bits &&
  samePrefix(outer.address, inner.address, outer.bits);

const protocolNumbers = { tcp: 6, udp: 17 } as const;

function askedOf({ action, ports, protocol }: ListedRule): readonly Asked[] {
  const number = protocol === undefined ? 0 : protocolNumbers[protocol];
  const ranges = ports.length === 0 ? [{ first: 0, last: portsMax }] : ports;
  return ranges.map(({ first, last }) => ({
    first,
    last,
    protocol: number,
    answer: action,
  }));
}

const isForAll = ({ first, last, protocol }: Asked) =>
  first === 0 && last === portsMax && protocol === 0;

export interface PrefixRules {
  readonly prefix: Prefix;
  readonly asked: readonly Asked[];
}

/** Returns the rules of each prefix: the longest prefix first, and rules that allow first at each prefix. */
export function prefixRules(rules: readonly ListedRule[]): readonly PrefixRules[] {
  const known = rules.map((rule) => ({ rule, prefix: prefixOf(rule) }));
  const ordered = known.toSorted(
    (a, b) =>
      b.prefix.bits - a.prefix.bits ||
      precedence.indexOf(b.rule.action) - precedence.indexOf(a.rule.action),
  );
  const prefixes = new Map(ordered.map(({ prefix }) => [nameOf(prefix), prefix]));
  return [...prefixes.values()].map((prefix) => {
    const asked = ordered.flatMap((each) => (holds(each.prefix, prefix) ? askedOf(each.rule) : []));
    const end = asked.findIndex(isForAll);
    return { prefix, asked: end < 0 ? asked : asked.slice(0, end + 1) };
  });
}

/** Returns the entry of a prefix in the list of this number. */
export function prefixEntry(list: number, { prefix, asked }: PrefixRules): MapEntry {
  const key = new Uint8Array(prefixKeyBytes);
  const keyView = new DataView(key.buffer);
  keyView.setUint32(0, listBits + prefix.bits, true);
  keyView.setUint32(4, familyList(list, prefix.isIpv4), true);
  key.set(prefix.address, 8);
  const value = new Uint8Array(prefixRulesBytes);
  const view = new DataView(value.buffer);
  view.setUint32(0, asked.length, true);
  for (const [index, { first, last, protocol, answer }] of asked.entries()) {
    const at = 4 + index * ruleBytes;
    view.setUint16(at, first, true);
    view.setUint16(at + 2, last, true);
    value.set([protocol, answers[answer]], at + 4);
  }
  return { map: 'denied', key, value };
}

/** Rules of IPv6 never hold for IPv4, though its addresses are in ::/0 as the kernel compares them. */
const familyList = (list: number, isIpv4: boolean) => list * 2 + (isIpv4 ? 1 : 0);

/** The greatest number of a list. */
const listMax = 2 ** 31 - 1;

/**
 * Returns a number for a list that only this text of it has, so that tenants change from one list to the next as a whole. No
 * list has 0.
 */
export function listNumber(text: string, taken: ReadonlySet<number>): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  let number = hash % listMax;
  while (number === 0 || taken.has(number)) number = (number + 1) % listMax;
  return number;
}
