/**
 * Disk bandwidth and operations: reads and writes separately on each disk, and together on all disks.
 *
 * The kernel's throttle (blk-throttle) counts per disk, never per partition, and delays what exceeds
 * the rate. It has no sum of reads and writes: a total is distributed over the caps that it has
 * (`share.ts`), and the agent shifts them towards those in use (`shift.ts`). Sources:
 * cgroup-v2.rst "IO Interface Files"; cgroup-v1/blkio-controller.rst.
 *
 * v1 counts only writes that bypass the page cache, and does not sum a hierarchy.
 */
import { formatQuantity, unlimited } from '../../packages/base/quantity.ts';
import { parseCount } from './count.ts';
import { eachLine } from './flat-file.ts';
import {
  bytesFile1,
  capKeys,
  hasTotal,
  cgroup1IoFiles,
  cgroup2IoFiles,
  keepsLimit,
  keepsLimits,
  operationsFile1,
  restingIo,
  shareOf,
  totals,
  type CapFile1,
  type IoName,
} from './io-caps.ts';
import { pressureFile } from './pressure.ts';
import { isShared } from './share.ts';
import {
  full,
  missingController,
  type CounterFile,
  type Counters,
  type FileSetting,
  type KernelSide,
  type KernelSide2,
  type Limit,
  type LimitValues,
  type SettingContext,
  type SupportContext,
} from './limit.ts';
import { weakSupport, type Support, type Weakness } from './support.ts';

const rate = (kind: 'bytesPerSecond' | 'perSecond', summary: string) =>
  ({
    kind,
    fallback: unlimited,
    unlimited: true,
    min: kind === 'perSecond' ? 1 : 1024,
    summary,
  }) as const;

const attributes = {
  read: rate('bytesPerSecond', 'The maximum number of bytes read from each disk per second.'),
  write: rate('bytesPerSecond', 'The maximum number of bytes written to each disk per second.'),
  total: rate(
    'bytesPerSecond',
    'The maximum number of bytes read and written per second, on all disks together. Enforced by the agent.',
  ),
  reads: rate('perSecond', 'The maximum number of read operations per second on each disk.'),
  writes: rate('perSecond', 'The maximum number of write operations per second on each disk.'),
  operations: rate(
    'perSecond',
    'The maximum number of read and write operations per second, on all disks together. Enforced by the agent.',
  ),
} as const;

const isTotal = (attribute: string) => totals.some(({ total }) => total === attribute);

/** Returns the note on a cap that is its current share of a total. */
function noteOf(values: LimitValues, devices: readonly string[], names: readonly IoName[]) {
  const shared = totals.filter(
    (each) =>
      each.names.some((name) => names.includes(name)) &&
      isShared(shareOf(values, each, devices.length)),
  );
  if (shared.length === 0) return {};
  const texts = shared.map(
    ({ total }) =>
      `${total} ${formatQuantity(attributes[total].kind, values[`io.${total}`] ?? unlimited)}`,
  );
  return { note: `its share of ${texts.join(', ')}` };
}

function cgroup2Settings(
  values: LimitValues,
  { devices, files, shifted }: SettingContext,
): readonly FileSetting<'io.max'>[] {
  if (!files.has('io.max')) return [];
  const initial = cgroup2IoFiles.capTexts(restingIo({}, 1), [''])[0]?.value ?? '';
  const resting = restingIo(values, devices.length);
  const note = noteOf(values, devices, ['read', 'write', 'reads', 'writes']);
  const accepts: Pick<FileSetting, 'accepts'> =
    shifted === true && hasTotal(values, devices.length)
      ? {
          accepts(read) {
            const caps = cgroup2IoFiles.caps(read, devices);
            return caps !== undefined && keepsLimits(values, caps, devices.length);
          },
        }
      : {};
  return cgroup2IoFiles.capTexts(resting, devices).map(({ file, device, value }) => ({
    attribute: 'io.read',
    controller: 'io',
    file,
    device,
    value,
    initial,
    write: `${device} ${value}`,
    ...accepts,
    ...note,
  }));
}

function cgroup1Settings(
  values: LimitValues,
  { devices, shifted }: SettingContext,
): readonly FileSetting<CapFile1>[] {
  const resting = restingIo(values, devices.length);
  return cgroup1IoFiles.capTexts(resting, devices).map(({ name, file, device, value }) => {
    const total = totals.find(({ names }) => names.some((each) => each === name));
    const moves =
      total !== undefined && shifted === true && isShared(shareOf(values, total, devices.length));
    return {
      attribute: `io.${name}`,
      controller: 'io',
      file,
      device,
      value,
      initial: '0',
      write: `${device} ${value}`,
      ...(moves
        ? {
            accepts(read) {
              const caps = cgroup1IoFiles.caps(read, devices);
              return caps !== undefined && keepsLimit(values, total, caps, devices.length);
            },
          }
        : {}),
      ...noteOf(values, devices, [name]),
    } satisfies FileSetting<CapFile1>;
  });
}

const systemdKeys: Readonly<Record<IoName, string>> = {
  read: 'IOReadBandwidthMax',
  write: 'IOWriteBandwidthMax',
  reads: 'IOReadIOPSMax',
  writes: 'IOWriteIOPSMax',
};

/**
 * Returns a line for every cap of a disk that the settings have, even without a limit: an entry that vanishes from the
 * list stays in the kernel. The empty line first ends the list of other files.
 */
function systemdLines(settings: readonly FileSetting[]): readonly string[] {
  const devices = settings.map(({ device = '' }) => device);
  const text = settings.map(({ write }) => write).join('\n');
  const caps = cgroup2IoFiles.caps(() => text, devices);
  if (caps === undefined) return [];
  return (Object.keys(systemdKeys) as IoName[]).flatMap((name) => {
    const lines = settings.flatMap(({ device = '', value }, disk) => {
      if (!value.includes(`${capKeys[name]}=`)) return [];
      const cap = caps[name][disk] ?? Infinity;
      return [`${systemdKeys[name]}=/dev/block/${device} ${cap === Infinity ? 'infinity' : cap}`];
    });
    return lines.length === 0 ? [] : [`${systemdKeys[name]}=`, ...lines];
  });
}

/** Replaces text that is not a number: the sum then becomes NaN, too, and is left out. */
const notCounted = NaN;

function setSums(sums: Partial<Record<IoCounter, number>>, into: Partial<Counters>): void {
  for (const counter of ioCounters) {
    const sum = sums[counter];
    if (sum !== undefined && !Number.isNaN(sum)) into[counter] = sum;
  }
}

/** `254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`, summed over the disks. */
const ioStat: CounterFile = {
  controller: 'io',
  file: 'io.stat',
  parse(text, into) {
    const sums = { readBytes: 0, writeBytes: 0, reads: 0, writes: 0 };
    eachLine(text, (_device, rest) => {
      for (const pair of rest.split(' ')) {
        const [key = '', value = ''] = pair.split('=');
        const counter = statKeys[key];
        if (counter !== undefined) sums[counter] += parseCount(value) ?? notCounted;
      }
    });
    setSums(sums, into);
  },
};

const ioCounters = ['readBytes', 'writeBytes', 'reads', 'writes'] as const;
type IoCounter = (typeof ioCounters)[number];
const statKeys: Readonly<Record<string, IoCounter>> = {
  rbytes: 'readBytes',
  wbytes: 'writeBytes',
  rios: 'reads',
  wios: 'writes',
};

/** Parses `254:0 Read 4096` and `254:0 Write 0`, a line each, then a `Total` without a disk. */
function serviced(file: string, read: IoCounter, write: IoCounter): CounterFile {
  return {
    controller: 'io',
    file,
    parse(text, into) {
      const sums = { read: 0, write: 0 };
      eachLine(text, (_device, rest) => {
        if (rest.startsWith('Read ')) sums.read += parseCount(rest.slice(5)) ?? notCounted;
        else if (rest.startsWith('Write ')) sums.write += parseCount(rest.slice(6)) ?? notCounted;
      });
      setSums({ [read]: sums.read, [write]: sums.write }, into);
    },
  };
}

/** File systems whose writeback the kernel charges to the cgroup that dirtied the pages. */
const chargesWriteback = new Set(['ext2', 'ext4', 'btrfs', 'f2fs', 'xfs']);

function commonSupport(context: SupportContext): Support | undefined {
  if (!context.controllers.has('io')) return missingController('io');
  if (context.devices.length > 0) return undefined;
  return weakSupport('none', [{ code: 'no disk' }]);
}

function severalDisks(attribute: string, context: SupportContext): Weakness | undefined {
  const count = context.devices.length;
  return count > 1 && !isTotal(attribute)
    ? { code: 'disks apart', value: String(count) }
    : undefined;
}

/** Returns how well a total is enforced. The kernel cannot cap a sum; the agent enforces it over some seconds. */
function shifting(attribute: string, context: SupportContext): Weakness | undefined {
  if (!isTotal(attribute)) return undefined;
  return context.shifted === true
    ? { code: 'sum by the agent' }
    : { code: 'sum without the agent', value: String(2 * context.devices.length) };
}

const mayWrite = (attribute: string) => attribute.startsWith('write') || isTotal(attribute);

function support2(attribute: string, context: SupportContext): Support {
  const common = commonSupport(context);
  if (common !== undefined) return common;
  if (!context.files.has('io.max')) {
    return weakSupport('none', [{ code: 'no kernel file', value: 'io.max' }], {
      code: 'kernel option',
      value: 'CONFIG_BLK_DEV_THROTTLING',
    });
  }
  const reasons: (Weakness | undefined)[] = [
    shifting(attribute, context),
    severalDisks(attribute, context),
  ];
  const uncharged = context.fileSystems.filter(
    (each) => each.devices.length > 0 && !chargesWriteback.has(each.type),
  );
  if (mayWrite(attribute) && uncharged.length > 0) {
    const where = uncharged.map((each) => `${each.mountPoint} (${each.type})`).join(', ');
    reasons.push({ code: 'buffered writes', value: where });
  }
  const found = reasons.filter((each) => each !== undefined);
  return found.length === 0 ? full : weakSupport('partial', found);
}

function support1(attribute: string, context: SupportContext): Support {
  const common = commonSupport(context);
  if (common !== undefined) return common;
  const reasons: (Weakness | undefined)[] = [
    shifting(attribute, context),
    severalDisks(attribute, context),
  ];
  if (mayWrite(attribute)) reasons.push({ code: 'writes through the cache' });
  reasons.push({ code: 'no sums' });
  return weakSupport(
    'partial',
    reasons.filter((each) => each !== undefined),
    { code: isTotal(attribute) ? 'v2 counts writes' : 'v2 enforces it' },
  );
}

const countersOf: Readonly<Record<keyof typeof attributes, readonly IoCounter[]>> = {
  read: ['readBytes'],
  write: ['writeBytes'],
  total: ['readBytes', 'writeBytes'],
  reads: ['reads'],
  writes: ['writes'],
  operations: ['reads', 'writes'],
};

const cgroup2: KernelSide2<'io.max'> = {
  settings: cgroup2Settings,
  since: { 'io.max': 405 },
  systemd: { 'io.max': { lines: systemdLines } },
  counters: [ioStat, pressureFile('io', 'ioPressureMicroseconds')],
  support: support2,
};

const cgroup1: KernelSide<CapFile1> = {
  settings: cgroup1Settings,
  since: {
    'blkio.throttle.read_bps_device': 'configured',
    'blkio.throttle.write_bps_device': 'configured',
    'blkio.throttle.read_iops_device': 'configured',
    'blkio.throttle.write_iops_device': 'configured',
  },
  counters: [
    serviced(bytesFile1, 'readBytes', 'writeBytes'),
    serviced(operationsFile1, 'reads', 'writes'),
  ],
  support: support1,
};

export const io: Limit = {
  name: 'io',
  summary: 'Disk bandwidth and operations.',
  attributes,
  // The kernel does not count delays.
  faults: Object.entries(countersOf).flatMap(([attribute, [counter, plus]]) =>
    counter === undefined
      ? []
      : [
          {
            attribute,
            severity: 'throttled',
            counter,
            ...(plus === undefined ? {} : { plus }),
            inferred: true,
          },
        ],
  ),
  cgroup2,
  cgroup1,
};
