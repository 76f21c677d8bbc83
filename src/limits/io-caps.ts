/**
 * The caps and counts of the kernel's disk throttle: bytes and operations, reads and writes separately, on each disk.
 * It also distributes the totals of a policy over the caps.
 *
 *     254:0 rbps=1048576 wbps=max riops=max wiops=max      io.max
 *     254:0 rbytes=4096 wbytes=0 rios=1 wios=0 …           io.stat
 *     254:0 1048576                                        blkio.throttle.read_bps_device
 *     254:0 Read 4096                                      blkio.throttle.io_service_bytes
 */
import { unlimited } from '../../packages/base/quantity.ts';
import { parseCount } from './count.ts';
import { eachLine } from './flat-file.ts';
import type { LimitValues } from './limit.ts';
import { isShared, keepsTotal, restingCaps, type Share } from './share.ts';

const ioNames = ['read', 'write', 'reads', 'writes'] as const;
export type IoName = (typeof ioNames)[number];

/** Numbers per disk, by direction and unit. `Infinity`: no cap. */
export type IoNumbers = Readonly<Record<IoName, readonly number[]>>;

/** The caps that a total covers, and the policy attribute that sets it. */
export const totals = [
  { total: 'total', names: ['read', 'write'], operations: ['reads', 'writes'] },
  { total: 'operations', names: ['reads', 'writes'], operations: undefined },
] as const;
export type Total = (typeof totals)[number];

const numberOf = (values: LimitValues, name: IoName | Total['total']): number => {
  const value = values[`io.${name}`] ?? unlimited;
  return value === unlimited ? Infinity : value;
};

/** Returns the lanes of a total: reads and writes of the first disk, of the second, and so on. */
export const lanesOf = (numbers: IoNumbers, { names }: Total): readonly number[] =>
  numbers[names[0]].flatMap((first, disk) => [first, numbers[names[1]][disk] ?? Infinity]);

export function withLanes(
  numbers: IoNumbers,
  { names: [first, second] }: Total,
  lanes: readonly number[],
): IoNumbers {
  const every = (offset: number) => lanes.filter((_, lane) => lane % 2 === offset);
  return { ...numbers, [first]: every(0), [second]: every(1) };
}

export function shareOf(values: LimitValues, { total, names }: Total, disks: number): Share {
  const pair = names.map((name) => numberOf(values, name));
  return {
    total: numberOf(values, total),
    max: Array.from({ length: disks }, () => pair).flat(),
  };
}

/** Whether these limits have a total. */
export const hasTotal = (values: LimitValues, disks: number): boolean =>
  totals.some((each) => isShared(shareOf(values, each, disks)));

/** Returns the caps while no agent shifts them. */
export function restingIo(values: LimitValues, disks: number): IoNumbers {
  const none: IoNumbers = { read: [], write: [], reads: [], writes: [] };
  return totals.reduce(
    (caps, each) => withLanes(caps, each, restingCaps(shareOf(values, each, disks))),
    none,
  );
}

/** Whether caps comply with the limits, wherever they have been shifted. */
export function keepsLimits(values: LimitValues, caps: IoNumbers, disks: number): boolean {
  return totals.every((each) => keepsLimit(values, each, caps, disks));
}

export function keepsLimit(
  values: LimitValues,
  total: Total,
  caps: IoNumbers,
  disks: number,
): boolean {
  const share = shareOf(values, total, disks);
  const lanes = lanesOf(caps, total);
  if (isShared(share)) return keepsTotal(share, lanes);
  return lanes.every((cap, lane) => cap === share.max[lane]);
}

/** Reads a file's text; undefined if it is gone. */
type ReadFile = (file: string) => string | undefined;

interface CapText<File extends string> {
  readonly name: IoName;
  readonly file: File;
  readonly device: string;
  readonly value: string;
}

/** The representation of caps and counts in one version of cgroups. */
export interface IoFiles<File extends string = string> {
  readonly capFiles: readonly File[];
  readonly capTexts: (caps: IoNumbers, devices: readonly string[]) => readonly CapText<File>[];
  readonly caps: (read: ReadFile, devices: readonly string[]) => IoNumbers | undefined;
  readonly counts: (read: ReadFile, devices: readonly string[]) => IoNumbers | undefined;
}

/** The kernel stores operations per second in 32 bits. */
const operationsMax = 2 ** 32 - 1;

function capText(name: IoName, cap: number, none: string): string {
  const max = name === 'reads' || name === 'writes' ? operationsMax : Infinity;
  return cap >= max ? none : String(cap);
}

/** Returns a number for each disk from the words of its line; `missing` if there is none, as for `max`. */
function numbersFrom(
  devices: readonly string[],
  missing: number,
  wordOf: (name: IoName, device: string) => string | undefined,
): IoNumbers {
  const numbers = (name: IoName) =>
    devices.map((device) => parseCount(wordOf(name, device) ?? '') ?? missing);
  return {
    read: numbers('read'),
    write: numbers('write'),
    reads: numbers('reads'),
    writes: numbers('writes'),
  };
}

export const capKeys: Readonly<Record<IoName, string>> = {
  read: 'rbps',
  write: 'wbps',
  reads: 'riops',
  writes: 'wiops',
};
const countKeys: Readonly<Record<IoName, string>> = {
  read: 'rbytes',
  write: 'wbytes',
  reads: 'rios',
  writes: 'wios',
};

/**
 * Parses words: `254:0 rbps=5 wbps=max` → `254:0 rbps` is `5`. Linux 5.15 and 5.16 do not end the line of a disk
 * without counts, so that the next disk follows on the same one: `7:0 254:0 rbytes=5`.
 */
function keyedWords(text: string): ReadonlyMap<string, string> {
  const words = new Map<string, string>();
  eachLine(text, (first, rest) => {
    let device = first;
    for (const word of rest.split(' ')) {
      const [key = '', value] = word.split('=');
      if (value === undefined) device = key;
      else words.set(`${device} ${key}`, value);
    }
  });
  return words;
}

export const cgroup2IoFiles: IoFiles<'io.max'> = {
  capFiles: ['io.max'],
  capTexts: (caps, devices) =>
    devices.map((device, disk) => ({
      name: 'read',
      file: 'io.max',
      device,
      value: ioNames
        .map((name) => `${capKeys[name]}=${capText(name, caps[name][disk] ?? Infinity, 'max')}`)
        .join(' '),
    })),
  caps(read, devices) {
    const text = read('io.max');
    if (text === undefined) return undefined;
    const words = keyedWords(text);
    return numbersFrom(devices, Infinity, (name, device) =>
      words.get(`${device} ${capKeys[name]}`),
    );
  },
  counts(read, devices) {
    const text = read('io.stat');
    if (text === undefined) return undefined;
    const words = keyedWords(text);
    return numbersFrom(devices, 0, (name, device) => words.get(`${device} ${countKeys[name]}`));
  },
};

const capFiles1 = {
  read: 'blkio.throttle.read_bps_device',
  write: 'blkio.throttle.write_bps_device',
  reads: 'blkio.throttle.read_iops_device',
  writes: 'blkio.throttle.write_iops_device',
} as const satisfies Readonly<Record<IoName, string>>;
export type CapFile1 = (typeof capFiles1)[IoName];
export const bytesFile1 = 'blkio.throttle.io_service_bytes';
export const operationsFile1 = 'blkio.throttle.io_serviced';

/** Parses words: `254:0 Read 4096` → `254:0 Read` is `4096`. */
function directedWords(text: string): ReadonlyMap<string, string> {
  const words = new Map<string, string>();
  eachLine(text, (device, rest) => {
    const [direction = '', value = ''] = rest.split(' ');
    words.set(`${device} ${direction}`, value);
  });
  return words;
}

export const cgroup1IoFiles: IoFiles<CapFile1> = {
  capFiles: Object.values(capFiles1),
  capTexts: (caps, devices) =>
    ioNames.flatMap((name) =>
      devices.map((device, disk) => ({
        name,
        file: capFiles1[name],
        device,
        value: capText(name, caps[name][disk] ?? Infinity, '0'),
      })),
    ),
  caps(read, devices) {
    const texts = ioNames.map((name) => read(capFiles1[name]));
    if (texts.includes(undefined)) return undefined;
    const words = new Map<string, string>();
    for (const [index, name] of ioNames.entries()) {
      eachLine(texts[index] ?? '', (device, cap) => words.set(`${device} ${name}`, cap));
    }
    return numbersFrom(devices, Infinity, (name, device) => words.get(`${device} ${name}`));
  },
  counts(read, devices) {
    const [bytes, operations] = [read(bytesFile1), read(operationsFile1)];
    if (bytes === undefined || operations === undefined) return undefined;
    const inBytes = directedWords(bytes);
    const inOperations = directedWords(operations);
    return numbersFrom(devices, 0, (name, device) => {
      const words = name === 'read' || name === 'write' ? inBytes : inOperations;
      return words.get(`${device} ${name.startsWith('read') ? 'Read' : 'Write'}`);
    });
  },
};

export const ioFilesOf = (version: 1 | 2): IoFiles =>
  version === 2 ? cgroup2IoFiles : cgroup1IoFiles;
