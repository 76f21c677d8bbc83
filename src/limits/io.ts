/**
 * Disk bandwidth and operations, reads and writes apart, on each disk by itself.
 *
 * The kernel's throttle (blk-throttle) counts at the disk, never at a partition, and delays what
 * exceeds the rate. Sources: cgroup-v2.rst "IO Interface Files"; cgroup-v1/blkio-controller.rst.
 *
 *     254:0 rbps=1048576 wbps=max riops=max wiops=max      io.max
 *     254:0 1048576                                        blkio.throttle.read_bps_device
 *
 * v1 counts only what a process writes past the page cache, and does not add up a hierarchy.
 */
import { type Quantity, unlimited } from '../units/quantity.ts';
import { eachLine } from './flat-file.ts';
import { pressureFile } from './pressure.ts';
import {
  full,
  missingController,
  type CounterFile,
  type Counters,
  type FileSetting,
  type Limit,
  type LimitKey,
  type LimitValues,
  type Support,
  type SupportContext,
} from './limit.ts';

const rate = (kind: 'bytesPerSecond' | 'perSecond', summary: string) =>
  ({
    kind,
    fallback: unlimited,
    unlimited: true,
    least: kind === 'perSecond' ? 1 : 1024,
    summary,
  }) as const;

const attributes = {
  read: rate('bytesPerSecond', 'Bytes it may read from each disk in a second.'),
  write: rate('bytesPerSecond', 'Bytes it may write to each disk in a second.'),
  reads: rate('perSecond', 'Read operations on each disk in a second.'),
  writes: rate('perSecond', 'Write operations on each disk in a second.'),
} as const;

const names = ['read', 'write', 'reads', 'writes'] as const;
type Name = (typeof names)[number];

const keys2: Readonly<Record<Name, string>> = {
  read: 'rbps',
  write: 'wbps',
  reads: 'riops',
  writes: 'wiops',
};
const files1: Readonly<Record<Name, string>> = {
  read: 'blkio.throttle.read_bps_device',
  write: 'blkio.throttle.write_bps_device',
  reads: 'blkio.throttle.read_iops_device',
  writes: 'blkio.throttle.write_iops_device',
};
/** The kernel keeps operations a second in 32 bits. */
const mostOperations = 2 ** 32 - 1;

const valueOf = (values: LimitValues, name: Name): Quantity => values[`io.${name}`] ?? unlimited;

function rateText(name: Name, value: Quantity, none: string): string {
  if (value === unlimited) return none;
  const most = name === 'reads' || name === 'writes' ? mostOperations : Number.MAX_SAFE_INTEGER;
  return value >= most && most === mostOperations ? none : String(value);
}

function line2(values: LimitValues): string {
  return names
    .map((name) => `${keys2[name]}=${rateText(name, valueOf(values, name), 'max')}`)
    .join(' ');
}

function deviceSetting(
  attribute: LimitKey,
  file: string,
  device: string,
  value: string,
  initial: string,
): FileSetting {
  return { attribute, controller: 'io', file, device, value, initial, write: `${device} ${value}` };
}

const initial2 = line2({});

/** `254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`, summed over the disks. */
const ioStat: CounterFile = {
  controller: 'io',
  file: 'io.stat',
  parse(text, into) {
    const sums = { readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
    eachLine(text, (_device, rest) => {
      for (const pair of rest.split(' ')) {
        const [key = '', value] = pair.split('=');
        const counter = statKeys[key];
        if (counter !== undefined) sums[counter] += Number(value);
      }
    });
    Object.assign(into, sums);
  },
};

type IoCounter = 'readBytes' | 'writeBytes' | 'reads' | 'writes';
const statKeys: Readonly<Record<string, IoCounter>> = {
  rbytes: 'readBytes',
  wbytes: 'writeBytes',
  rios: 'reads',
  wios: 'writes',
};

/** `254:0 Read 4096` and `254:0 Write 0`, a line each, then a `Total` without a disk. */
function serviced(file: string, read: keyof Counters, write: keyof Counters): CounterFile {
  return {
    controller: 'io',
    file,
    parse(text, into) {
      into[read] = 0;
      into[write] = 0;
      eachLine(text, (_device, rest) => {
        if (rest.startsWith('Read ')) into[read] = (into[read] ?? 0) + Number(rest.slice(5));
        else if (rest.startsWith('Write '))
          into[write] = (into[write] ?? 0) + Number(rest.slice(6));
      });
    },
  };
}

/** File systems whose writeback the kernel charges to the group that dirtied the pages. */
const chargesWriteback = new Set(['ext2', 'ext4', 'btrfs', 'f2fs', 'xfs']);

function commonSupport(context: SupportContext): Support | undefined {
  if (!context.controllers.has('io')) return missingController('io');
  if (context.devices.length > 0) return undefined;
  return {
    level: 'none',
    reason: 'no mounted file system is on a disk that the kernel can throttle',
  };
}

function severalDisks(context: SupportContext): string | undefined {
  const count = context.devices.length;
  return count > 1 ? `each of the ${count} disks is limited by itself, not their sum` : undefined;
}

function support2(attribute: string, context: SupportContext): Support {
  const common = commonSupport(context);
  if (common !== undefined) return common;
  if (!context.files.has('io.max')) {
    return {
      level: 'none',
      reason: 'this kernel has no io.max',
      help: 'a kernel built with CONFIG_BLK_DEV_THROTTLING has it',
    };
  }
  const reasons = [severalDisks(context)];
  const uncharged = context.fileSystems.filter(
    (each) => each.devices.length > 0 && !chargesWriteback.has(each.type),
  );
  if (attribute.startsWith('write') && uncharged.length > 0) {
    const where = uncharged.map((each) => `${each.mountPoint} (${each.type})`).join(', ');
    reasons.push(`buffered writes to ${where} are not charged to the tenant`);
  }
  const reason = reasons.filter((each) => each !== undefined).join('; ');
  return reason === '' ? full : { level: 'partial', reason };
}

function support1(attribute: string, context: SupportContext): Support {
  const common = commonSupport(context);
  if (common !== undefined) return common;
  const reasons = [severalDisks(context)];
  if (attribute.startsWith('write')) {
    reasons.push(
      'cgroup v1 throttles direct and synchronous writes, not those through the page cache',
    );
  }
  reasons.push('a reseller does not bound the sum of its tenants on cgroup v1');
  return {
    level: 'partial',
    reason: reasons.filter((each) => each !== undefined).join('; '),
    help: 'cgroup v2 holds all of it',
  };
}

const counterOf: Readonly<Record<Name, IoCounter>> = {
  read: 'readBytes',
  write: 'writeBytes',
  reads: 'reads',
  writes: 'writes',
};

export const io: Limit = {
  name: 'io',
  summary: 'Disk bandwidth and operations.',
  attributes,
  // The kernel does not count what it delays.
  faults: names.map((name) => ({
    attribute: name,
    severity: 'slowed',
    counter: counterOf[name],
    inferred: true,
  })),
  cgroup2: {
    settings(values, { devices, files }) {
      if (!files.has('io.max')) return [];
      const line = line2(values);
      return devices.map((device) => deviceSetting('io.read', 'io.max', device, line, initial2));
    },
    counters: [ioStat, pressureFile('io', 'ioPressureMicroseconds')],
    support: support2,
  },
  cgroup1: {
    settings(values, { devices }) {
      return names.flatMap((name) => {
        const value = rateText(name, valueOf(values, name), '0');
        return devices.map((device) =>
          deviceSetting(`io.${name}`, files1[name], device, value, '0'),
        );
      });
    },
    counters: [
      serviced('blkio.throttle.io_service_bytes', 'readBytes', 'writeBytes'),
      serviced('blkio.throttle.io_serviced', 'reads', 'writes'),
    ],
    support: support1,
  },
};
