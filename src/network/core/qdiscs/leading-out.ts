/**
 * The devices at which packets to other hosts wait: those of default routes, or what is below them.
 *
 * A bond and a VLAN have no queue and pass packets on with their departure times, so the devices below them count, which
 * can use all their queues. A bridge clears the times of datagrams, so they have to wait at the bridge itself.
 */
import { listSome } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { rootParent, type Device, type Qdisc } from './rtnetlink.ts';

/** The kinds of devices that have ports. */
const withPorts = new Set(['bond', 'team']);
const aboveAnother = new Set(['vlan', 'macvlan', 'ipvlan']);
/** VLANs on bonds on VLANs; more is a loop. */
const depthMax = 8;

export function devicesLeadingOut(
  devices: readonly Device[],
  routed: Iterable<number>,
): readonly Device[] {
  const known = new Map(devices.map((each) => [each.index, each]));
  const found = new Map<number, Device>();
  const add = (index: number, depth: number): void => {
    const device = known.get(index);
    if (device === undefined || device.name === 'lo') return;
    const below = depth === depthMax ? [] : devicesBelow(device, devices);
    for (const each of below) add(each, depth + 1);
    if (below.length === 0) found.set(index, device);
  };
  for (const index of new Set(routed)) add(index, 0);
  return [...found.values()];
}

function devicesBelow({ index, kind = '', below }: Device, devices: readonly Device[]) {
  if (withPorts.has(kind))
    return devices.flatMap((each) => (each.master === index ? [each.index] : []));
  return aboveAnother.has(kind) && below !== undefined ? [below] : [];
}

/** Returns the devices of hardware by which other networks are reached, such as a private one between hosts. */
export function otherDevices(
  devices: readonly Device[],
  reached: Iterable<number>,
  leadingOut: readonly Device[],
): readonly Device[] {
  const known = new Set(leadingOut.map(({ index }) => index));
  return devicesLeadingOut(devices, reached).filter(
    ({ index, kind, master }) => kind === undefined && master === undefined && !known.has(index),
  );
}

/** Only default routes get fq, so that no network between containers or hosts is touched. */
export function remarksOnOthers(
  devices: readonly Device[],
  qdiscs: readonly Qdisc[],
): readonly string[] {
  const rough = devices.filter(
    ({ index }) =>
      !qdiscs.some(
        (each) => each.device === index && each.parent === rootParent && each.kind === 'fq',
      ),
  );
  if (rough.length === 0) return [];
  const names = listSome(rough.map(({ name }) => printable(name)));
  return [
    `network send holds only roughly at ${names}, by which no default route leads; set it by: tc qdisc replace dev NAME root fq`,
  ];
}
