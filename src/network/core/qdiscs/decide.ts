/**
 * Decides per device which qdisc it gets. Only the kernel's own choice is replaced, which has the handle 0: what
 * somebody has set has another one, and stays.
 */
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { formatCause, type Cause } from '../../../../packages/base/problem.ts';
import type { DeviceReport } from './report.ts';
import { rootParent, type Device, type Place, type Qdisc } from './rtnetlink.ts';

/** The handle `7b1d:` of what we set. Handles that the kernel gives itself begin at `8000:`. */
export const ourHandle = 0x7b1d_0000;

/** A qdisc to set. The leaves of `mq` are known only once it is there. */
export interface Step {
  readonly kind: 'fq' | 'mq';
  readonly place: Place;
}

export interface Decision {
  /** The state before the steps. */
  readonly report: DeviceReport;
  readonly steps: readonly Step[];
  /** The kind of the device's own qdisc; absent if it has none. */
  readonly root?: string;
}

const majorOf = (handle: number) => (handle & 0xffff_0000) >>> 0;

/** `isOurs`: whether the device is in the record. `failure`: why the last step there failed. */
export function decide(
  device: Device,
  qdiscs: readonly Qdisc[],
  isOurs: boolean,
  failure?: Cause,
): Decision {
  const name = printable(device.name);
  const report = (support: DeviceReport['support'], reason: string): DeviceReport => ({
    device: device.name,
    support,
    reason,
  });
  const own = qdiscs.filter((each) => each.device === device.index);
  const root = own.find(({ parent }) => parent === rootParent);
  if (root === undefined)
    return { report: report('none', `${name} has no queue: it is not up`), steps: [] };
  const { kind, handle } = root;
  if (handle === 0) {
    const why = failure === undefined ? 'it is not set yet' : formatCause(failure);
    const place = { device: device.index, handle: ourHandle, parent: rootParent };
    return {
      report: report('partial', `${name} keeps the qdisc ${printable(kind)}: ${why}`),
      steps: [{ kind: kind === 'mq' ? 'mq' : 'fq', place }],
      root: kind,
    };
  }
  if (kind === 'fq') return { report: report('full', `fq on ${name}`), steps: [], root: kind };
  if (kind !== 'mq')
    return { report: report('partial', ofOthers(name, kind)), steps: [], root: kind };
  const leaves = own.filter((each) => each !== root && majorOf(each.parent) === handle);
  const canSet = isOurs && handle === ourHandle;
  const steps = canSet ? leaves.filter((each) => each.handle === 0).map(leafStep) : [];
  const other = leaves.find((each) => each.kind !== 'fq');
  if (other === undefined) {
    const queues = count(leaves.length, 'queue');
    return { report: report('full', `fq on ${name} (mq, ${queues})`), steps, root: kind };
  }
  const why = failure === undefined ? '' : `: ${formatCause(failure)}`;
  const text = `${name} has the qdisc ${printable(other.kind)} at a queue of mq${why}`;
  return { report: report('partial', text), steps, root: kind };
}

const ofOthers = (name: string, kind: string) =>
  `${name} has the qdisc ${printable(kind)} of the administrator: what exceeds is marked and dropped, not delayed`;

const leafStep = ({ device, parent }: Qdisc): Step => ({
  kind: 'fq',
  place: { device, handle: 0, parent },
});
