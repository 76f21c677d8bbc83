/** Removes what has our handle where the record says so. The kernel then chooses as it did before. */
import type { Cause, Problem } from '../../../../packages/base/problem.ts';
import type { Paths } from '../../../host/paths.ts';
import { netlinkChange } from '../../../sys/sockets/netlink.ts';
import { ourHandle } from '../../core/qdiscs/decide.ts';
import { isEmptyRecord, isInForce, type SetDevice } from '../../core/qdiscs/record.ts';
import { deleteQdisc, rootParent } from '../../core/qdiscs/rtnetlink.ts';
import { lockNetwork } from '../network-state.ts';
import { restoreDefaultQdisc } from './default-qdisc.ts';
import { NETLINK_ROUTE, readDevices } from './read-devices.ts';
import { readQdiscRecord, writeQdiscRecord } from './record-file.ts';

/** Returns what could not be put back, which stays in the record. */
export async function restoreQdiscs(paths: Paths, waitMs: number): Promise<readonly Problem[]> {
  const before = readQdiscRecord(paths);
  // The file may be there all the same, from an earlier boot.
  if (before.ok && isEmptyRecord(before.value))
    return failuresOf(writeQdiscRecord(paths, before.value));
  const locked = lockNetwork(paths, waitMs);
  if (!locked.ok) return [locked.error];
  using _lock = locked.value;
  const record = readQdiscRecord(paths);
  if (!record.ok) return [record.error];
  // First, since the kernel chooses by it.
  const restored = restoreDefaultQdisc(paths, record.value.defaultQdisc);
  const removed = await removeOurs(record.value.devices);
  const written = writeQdiscRecord(paths, { devices: removed.left, ...restored.left });
  return [...restored.problems, ...removed.problems, ...failuresOf(written)];
}

const failuresOf = (
  written: { readonly ok: true } | { readonly ok: false; readonly error: Problem },
): readonly Problem[] => (written.ok ? [] : [written.error]);

interface Removed {
  readonly left: readonly SetDevice[];
  readonly problems: readonly Problem[];
}

async function removeOurs(devices: readonly SetDevice[]): Promise<Removed> {
  const seen = await readDevices();
  if (!seen.ok) return { left: devices, problems: [seen.error] };
  const causes = new Map<SetDevice, Cause>();
  for (const device of devices.filter((each) => isInForce(each, seen.value.qdiscs))) {
    const place = { device: device.index, handle: ourHandle, parent: rootParent };
    const cause = await netlinkChange(NETLINK_ROUTE, 0, deleteQdisc(place));
    if (cause !== undefined) causes.set(device, cause);
  }
  if (causes.size === 0) return { left: [], problems: [] };
  // A device may have gone meanwhile, which the kernel reports as an error, too.
  const now = await readDevices();
  if (!now.ok) return { left: [...causes.keys()], problems: [now.error] };
  const left = [...causes].filter(([device]) => isInForce(device, now.value.qdiscs));
  const problems = left.map(([{ index, kind }, cause]): Problem => ({
    ...cause,
    action: `remove the qdisc ${kind} of network device ${index}`,
  }));
  return { left: left.map(([device]) => device), problems };
}
