/**
 * The rows of the demo: one for each limit, with the load that goes against it. The uids and the values of the limits
 * come from examples/demo.xml.
 *
 * Every load is also bounded otherwise, in case a limit is not enforced: by time, by niceness, and by how much it takes
 * at most.
 */
import type { LimitKey } from '../../src/limits/limit.ts';
import type { GaugeName } from './gauge.ts';
import {
  type Load,
  busyLoopLoad,
  diskReader,
  diskWriter,
  forkStormLoad,
  memoryHogLoad,
} from './load.ts';

export interface DemoMeter {
  readonly uid: number;
  readonly key: LimitKey;
  readonly gauge: GaugeName;
  /** Whether `uid` is a reseller, with tenants that count together. */
  readonly isReseller: boolean;
  readonly title: string;
  /** The description of the load, for people. */
  readonly does: string;
  readonly loads: readonly Load[];
}

const meter = (
  uid: number,
  key: LimitKey,
  gauge: GaugeName,
  title: string,
  does: string,
  ...loads: readonly Load[]
): DemoMeter => ({ uid, key, gauge, title, does, loads, isReseller: false });

export const bandwidthUid = 61004;
export const operationsUid = 61005;
const resellerUid = 61010;
export const neighbourUid = 61020;

/** The two tenants whose shares are compared; the weight of the first is shown. */
export const sharers = [61011, 61012] as const;

export const meters: readonly DemoMeter[] = [
  meter(61001, 'cpu.limit', 'cpu', 'cpu', 'a busy loop', busyLoopLoad(61001)),
  meter(61002, 'memory.limit', 'memory', 'memory', 'takes memory', memoryHogLoad(61002)),
  meter(61003, 'processes.limit', 'processes', 'processes', 'a fork storm', forkStormLoad(61003)),
  meter(
    bandwidthUid,
    'io.read',
    'disk',
    'io read',
    'large direct reads',
    diskReader(bandwidthUid, 'io.read'),
  ),
  meter(
    bandwidthUid,
    'io.write',
    'disk',
    'io write',
    'large direct writes',
    diskWriter(bandwidthUid, 'io.write'),
  ),
  meter(
    operationsUid,
    'io.reads',
    'disk',
    'io reads',
    'small direct reads',
    diskReader(operationsUid, 'io.reads'),
  ),
  meter(
    operationsUid,
    'io.writes',
    'disk',
    'io writes',
    'small direct writes',
    diskWriter(operationsUid, 'io.writes'),
  ),
  {
    ...meter(resellerUid, 'cpu.limit', 'cpu', 'reseller', 'two busy loops'),
    loads: sharers.map((uid) => busyLoopLoad(uid, { onOneCore: true })),
    isReseller: true,
  },
  meter(sharers[0], 'cpu.weight', 'share', 'cpu weight', 'the first of them'),
];
