/**
 * Devices, routes and qdiscs of the kernel, as rtnetlink lists them: requests, and messages read.
 *
 *     u8 family, u8, u16 type, i32 index, u32 flags, u32 change                                struct ifinfomsg
 *     u8 family, u8 bits of the destination, u8, u8, u8 table, u8, u8, u8 type, u32 flags       struct rtmsg
 *     u8 family, u8, u16, i32 index of the device, u32 handle, u32 parent, u32                  struct tcmsg
 *
 * A handle has a number in its upper half: `8001:` of tc is 0x80010000. Source: rtnetlink(7), linux/rtnetlink.h,
 * linux/if_link.h, linux/pkt_sched.h.
 */
import {
  attribute,
  attributeOfNumber,
  attributeOfText,
  joined,
  numberIn,
  readAttributes,
  textIn,
} from '../../../../packages/base/netlink-attributes.ts';

export interface Device {
  readonly index: number;
  readonly name: string;
  /** The driver's name of a device that software makes: `bridge`, `bond`, `vlan`, `veth`. */
  readonly kind?: string;
  /** The index of the bridge or bond that it is a port of. */
  readonly master?: number;
  /** The index of the device below it in the same network namespace, such as the one of a VLAN. */
  readonly below?: number;
}

export interface Qdisc {
  /** The index of its device. */
  readonly device: number;
  readonly kind: string;
  /** 0: the kernel's own choice. */
  readonly handle: number;
  readonly parent: number;
}

/** A message to send. */
export interface Request {
  readonly type: number;
  readonly body: Uint8Array;
}

const RTM_GETLINK = 18;
const RTM_GETROUTE = 26;
const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;

const linkBytes = 16;
const routeBytes = 12;
const qdiscBytes = 20;
const IFLA_IFNAME = 3;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_EXT_MASK = 29;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const RTEXT_FILTER_SKIP_STATS = 8;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_MULTIPATH = 9;
const RTN_UNICAST = 1;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_FQ_PLIMIT = 1;
const TCA_FQ_FLOW_PLIMIT = 2;
const TCA_FQ_RATE_ENABLE = 5;
const TCA_FQ_BUCKETS_LOG = 8;
const TCA_FQ_HORIZON = 14;
const TCA_FQ_HORIZON_DROP = 15;

/** The parent of a device's own qdisc. */
export const rootParent = 0xffffffff;

const families = { ipv4: 2, ipv6: 10 };
export const routeRequests = (): readonly Request[] =>
  Object.values(families).map((family) => ({
    type: RTM_GETROUTE,
    body: Uint8Array.of(family, ...Array<number>(routeBytes - 1).fill(0)),
  }));

export const deviceRequest = (): Request => ({
  type: RTM_GETLINK,
  body: joined(
    new Uint8Array(linkBytes),
    attributeOfNumber(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS),
  ),
});

export const qdiscRequest = (): Request => ({
  type: RTM_GETQDISC,
  body: new Uint8Array(qdiscBytes),
});

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new DataView(buffer, byteOffset, byteLength);

export function readDevice(body: Uint8Array): Device | undefined {
  if (body.length < linkBytes) return undefined;
  const attributes = readAttributes(body.subarray(linkBytes));
  const name = textIn(attributes, IFLA_IFNAME);
  if (name === undefined) return undefined;
  const kind = textIn(
    readAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array()),
    IFLA_INFO_KIND,
  );
  const master = numberIn(attributes, IFLA_MASTER);
  const isElsewhere = attributes.has(IFLA_LINK_NETNSID);
  const below = isElsewhere ? undefined : numberIn(attributes, IFLA_LINK);
  return {
    index: viewOf(body).getInt32(4, true),
    name,
    ...(kind === undefined ? {} : { kind }),
    ...(master === undefined ? {} : { master }),
    ...(below === undefined ? {} : { below }),
  };
}

/** Returns the devices of a default route, one for each way that it has; none for other routes. */
export const defaultRouteDevices = (body: Uint8Array): readonly number[] =>
  body[1] === 0 ? routeDevices(body) : [];

/** Returns the devices of a route to other hosts, but for those of IPv6 that every device has. */
export function routeDevices(body: Uint8Array): readonly number[] {
  if (body.length < routeBytes || body[7] !== RTN_UNICAST || isLinkLocal(body)) return [];
  const attributes = readAttributes(body.subarray(routeBytes));
  const one = numberIn(attributes, RTA_OIF);
  return [...(one === undefined ? [] : [one]), ...hops(attributes.get(RTA_MULTIPATH))];
}

const isLinkLocal = (body: Uint8Array): boolean => {
  const [first, second = 0] = readAttributes(body.subarray(routeBytes)).get(RTA_DST) ?? [];
  return body[0] === families.ipv6 && first === 0xfe && (second & 0xc0) === 0x80;
};

/** Each is `u16 length, u8, u8, i32 index` with attributes behind: struct rtnexthop. */
function hops(bytes: Uint8Array | undefined): readonly number[] {
  if (bytes === undefined) return [];
  const found: number[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < 8) break;
    found.push(view.getInt32(at + 4, true));
    at += (length + 3) & ~3;
  }
  return found;
}

export function readQdisc(body: Uint8Array): Qdisc | undefined {
  if (body.length < qdiscBytes) return undefined;
  const kind = textIn(readAttributes(body.subarray(qdiscBytes)), TCA_KIND);
  if (kind === undefined) return undefined;
  const view = viewOf(body);
  return {
    device: view.getInt32(4, true),
    kind,
    handle: view.getUint32(8, true),
    parent: view.getUint32(12, true),
  };
}

/** The place of a qdisc; a handle of 0 lets the kernel choose one. */
export interface Place {
  readonly device: number;
  readonly handle: number;
  readonly parent: number;
}

function placed({ device, handle, parent }: Place): Uint8Array {
  const body = new Uint8Array(qdiscBytes);
  const view = viewOf(body);
  view.setInt32(4, device, true);
  view.setUint32(8, handle, true);
  view.setUint32(12, parent, true);
  return body;
}

const newQdisc = (place: Place, kind: string, ...options: readonly Uint8Array[]): Request => ({
  type: RTM_NEWQDISC,
  body: joined(
    placed(place),
    attributeOfText(TCA_KIND, kind),
    ...(options.length === 0 ? [] : [attribute(TCA_OPTIONS, joined(...options))]),
  ),
});

/**
 * Packets in all, and packets of one socket: the programs hold back before either is reached. No packet waits for more
 * than two seconds, whatever time its sender gave it: it leaves then, and is not dropped. Linux 5.8; older ones ignore it.
 * Sockets are not held to a rate that they set themselves: any account could fill the queue by sockets with very low ones.
 */
export const newFq = (place: Place): Request =>
  newQdisc(
    place,
    'fq',
    attributeOfNumber(TCA_FQ_PLIMIT, 100_000),
    attributeOfNumber(TCA_FQ_FLOW_PLIMIT, 1000),
    attributeOfNumber(TCA_FQ_RATE_ENABLE, 0),
    attributeOfNumber(TCA_FQ_HORIZON, 2_000_000),
    attribute(TCA_FQ_HORIZON_DROP, Uint8Array.of(0)),
  );

/** A request that the kernel refuses in any case: with ENOENT if it has no fq, otherwise for its option. */
export const impossibleFq = (place: Place): Request =>
  newQdisc(place, 'fq', attributeOfNumber(TCA_FQ_BUCKETS_LOG, 255));

export const newMq = (place: Place): Request => newQdisc(place, 'mq');

export const deleteQdisc = (place: Place): Request => ({
  type: RTM_DELQDISC,
  body: placed(place),
});
