/** The devices, default routes and qdiscs of this network namespace, asked from the kernel. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { netlinkList } from '../../../sys/sockets/netlink.ts';
import { devicesLeadingOut, otherDevices, remarksOnOthers } from '../../core/qdiscs/leading-out.ts';
import {
  defaultRouteDevices,
  deviceRequest,
  qdiscRequest,
  readDevice,
  readQdisc,
  routeDevices,
  routeRequests,
  type Device,
  type Qdisc,
  type Request,
} from '../../core/qdiscs/rtnetlink.ts';

export const NETLINK_ROUTE = 0;

/** Routers have a million routes, hosts of containers some thousand devices. */
const bodiesMax = 500_000;

export interface SeenDevices {
  /** The devices that lead to other hosts. */
  readonly leadingOut: readonly Device[];
  readonly qdiscs: readonly Qdisc[];
  readonly remarks: readonly string[];
}

export async function readDevices(): Promise<Result<SeenDevices, Problem>> {
  const devices = await list(deviceRequest(), 'devices');
  if (!devices.ok) return devices;
  const qdiscs = await list(qdiscRequest(), 'qdiscs');
  if (!qdiscs.ok) return qdiscs;
  const routed = new Set<number>();
  const reached = new Set<number>();
  const remarks: string[] = [];
  for (const request of routeRequests()) {
    const routes = await list(request, 'routes');
    // A kernel without IPv6 has no such routes.
    if (!routes.ok && routes.error.errno === 'EAFNOSUPPORT') continue;
    if (!routes.ok) return routes;
    for (const body of routes.value.bodies) {
      for (const each of defaultRouteDevices(body)) routed.add(each);
      for (const each of routeDevices(body)) reached.add(each);
    }
    if (!routes.value.isComplete) remarks.push(`only ${bodiesMax} routes were looked at`);
  }
  const all = defined(devices.value.bodies.map(readDevice));
  const seen = defined(qdiscs.value.bodies.map(readQdisc));
  const leadingOut = devicesLeadingOut(all, routed);
  remarks.push(...remarksOnOthers(otherDevices(all, reached, leadingOut), seen));
  return ok({
    leadingOut,
    qdiscs: seen,
    remarks,
  });
}

const defined = <T>(values: readonly (T | undefined)[]): readonly T[] =>
  values.flatMap((each) => (each === undefined ? [] : [each]));

async function list(request: Request, what: string) {
  const listed = await netlinkList(NETLINK_ROUTE, request, bodiesMax);
  return listed.ok
    ? listed
    : failed({ ...listed.error, action: `list the ${what} of the network` });
}
