/**
 * The hosts that a tenant reaches, and the ports that it may open: `<reach>` and `<listen>`. A tenant inherits each as a
 * whole from the nearest element that has one.
 *
 *     <reach mail="submission" tenants="no" metadata="no" mode="watch">
 *       <refuse address="10.0.0.0/8" reason="the hoster's own network"/>
 *       <allow address="10.0.0.5" ports="3306"/>
 *     </reach>
 *     <listen ports="7001-7010" public="yes"/>
 */
import { formatAddress } from '../../../packages/base/ip-address.ts';
import type { Located, Span } from '../diagnostic.ts';

/**
 * Which mail servers a tenant reaches: all, all but port 25, port 25 of the host's own mail server in place of all others,
 * or none at the ports 25, 465 and 587 but the host's own.
 */
export const mailReaches = ['anywhere', 'submission', 'relay', 'local'] as const;
export type MailReach = (typeof mailReaches)[number];

/** `watch`: nothing is refused, only reported. */
export const networkModes = ['refuse', 'watch'] as const;
export type NetworkMode = (typeof networkModes)[number];

export const ruleActions = ['allow', 'refuse'] as const;
export type RuleAction = (typeof ruleActions)[number];

export const ruleProtocols = ['tcp', 'udp'] as const;
export type RuleProtocol = (typeof ruleProtocols)[number];

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** An address, or all that begin with the same bits. */
export interface AddressPrefix {
  /** 4 or 16 bytes, without bits beyond `prefix`. */
  readonly address: Uint8Array;
  readonly prefix: number;
}

/** Allows or refuses addresses of other hosts. The longest prefix decides, then `allow`. */
export interface AddressRule extends AddressPrefix {
  readonly action: RuleAction;
  /** All ports where empty. */
  readonly ports: readonly PortRange[];
  readonly protocol: RuleProtocol | undefined;
}

export interface Reach {
  readonly mail: MailReach;
  /** Whether services that other tenants offer on this host can be reached. */
  readonly tenants: boolean;
  /** Whether metadata services of clouds and link-local addresses can be reached. */
  readonly metadata: boolean;
  readonly rules: readonly AddressRule[];
  /** Addresses without a rule. */
  readonly others: RuleAction;
  readonly mode: NetworkMode;
}

export interface Listen {
  /** Ports that are kept for the tenant: no other tenant can bind them. */
  readonly ports: readonly PortRange[];
  /** Whether other hosts can connect to what the tenant opens. */
  readonly public: boolean;
  readonly mode: NetworkMode;
}

/** A rule as the policy has it. */
export interface WrittenRule extends AddressRule, Span {
  /** The reason, for whoever reads the policy or a refusal. */
  readonly reason?: string;
}

/** The places are the attributes', or the element's where an attribute is not written. */
export interface ReachElement extends Span {
  readonly mail: Located<MailReach>;
  readonly tenants: Located<boolean>;
  readonly metadata: Located<boolean>;
  readonly rules: readonly WrittenRule[];
  readonly others: Located<RuleAction>;
  readonly mode: Located<NetworkMode>;
}

export interface ListenElement extends Span {
  readonly ports: readonly Located<PortRange>[];
  readonly public: Located<boolean>;
  readonly mode: Located<NetworkMode>;
}

/** An address at which a cloud gives a machine its secrets. */
export interface MetadataPrefix extends AddressPrefix {
  /** All ports where empty. */
  readonly ports: readonly PortRange[];
}

const six = (...groups: readonly number[]): Uint8Array =>
  Uint8Array.from(groups.flatMap((each) => [each >> 8, each & 0xff]));
const one = (address: Uint8Array, ...ports: readonly number[]): MetadataPrefix => ({
  address,
  prefix: 8 * address.length,
  ports: ports.map((each) => ({ first: each, last: each })),
});

/**
 * Metadata services of clouds, which give a machine's secrets to whoever asks, and link-local addresses. At Azure's address
 * there are name servers, too, so only the ports of its agent count. Sources: RFC 3927, RFC 4291; the documentation of
 * each cloud.
 */
export const metadataPrefixes: readonly MetadataPrefix[] = [
  { address: Uint8Array.of(169, 254, 0, 0), prefix: 16, ports: [] },
  { address: six(0xfe80, 0, 0, 0, 0, 0, 0, 0), prefix: 10, ports: [] },
  // AWS, Google, Oracle, Scaleway, Alibaba, Azure.
  one(six(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
  one(six(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)),
  one(six(0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
  one(six(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042)),
  one(Uint8Array.of(100, 100, 100, 200)),
  one(Uint8Array.of(168, 63, 129, 16), 80, 32_526),
];

/** The ports to which mail is not sent, by TCP. `relay` sends those of port 25 to the host's own server. */
export const mailPorts: Readonly<Record<MailReach, readonly number[]>> = {
  anywhere: [],
  submission: [25],
  relay: [25],
  local: [25, 465, 587],
};

export const reachOf = (element: ReachElement): Reach => ({
  mail: element.mail.value,
  tenants: element.tenants.value,
  metadata: element.metadata.value,
  rules: element.rules.map(({ action, address, prefix, ports, protocol }) => ({
    action,
    address,
    prefix,
    ports,
    protocol,
  })),
  others: element.others.value,
  mode: element.mode.value,
});

export const listenOf = (element: ListenElement): Listen => ({
  ports: element.ports.map(({ value }) => value),
  public: element.public.value,
  mode: element.mode.value,
});

const wholeBits = (address: Uint8Array) => 8 * address.length;

/** Prints `10.0.0.0/8`, or an address alone. */
export const formatPrefix = ({ address, prefix }: AddressPrefix): string =>
  prefix === wholeBits(address) ? formatAddress(address) : `${formatAddress(address)}/${prefix}`;

const formatRange = ({ first, last }: PortRange) =>
  first === last ? `${first}` : `${first}-${last}`;

export const formatPorts = (ports: readonly PortRange[]): string =>
  ports.map(formatRange).join(' ');

/** Describes a rule for people: `refuse 10.0.0.0/8, tcp, ports 25 587`. */
export const formatRule = ({ action, ports, protocol, ...prefix }: AddressRule): string =>
  [
    `${action} ${formatPrefix(prefix)}`,
    ...(protocol === undefined ? [] : [protocol]),
    ...(ports.length === 0 ? [] : [`ports ${formatPorts(ports)}`]),
  ].join(', ');
