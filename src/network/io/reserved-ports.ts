/**
 * Keeps tenants' ports out of `net.ipv4.ip_local_reserved_ports`' reach: no other program gets one by chance. The record
 * of ours is written before the kernel's list, and reduced after it.
 *
 *     /var/lib/bulkhead/network/reserved-ports      8f2c… 7001-7010
 */
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { removeFile, replaceFile } from '../../../packages/base/io/replace-file.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import {
  formatPorts,
  leavesTooFew,
  mergePorts,
  parsePortRange,
  parsePorts,
  portsOf,
  type Ports,
} from '../core/reserved-ports.ts';
import type { PortRange } from '../core/rules.ts';
import { bootOf } from './boot.ts';
import { lockNetwork, networkStateOf } from './network-state.ts';

const kernelFile = ({ proc }: Paths) => `${proc}/sys/net/ipv4/ip_local_reserved_ports`;
const rangeFile = ({ proc }: Paths) => `${proc}/sys/net/ipv4/ip_local_port_range`;
const recordFile = (paths: Paths) => `${networkStateOf(paths)}/reserved-ports`;
const lockWaitMs = 2_000;
/** More than every second port takes. */
const listBytesMax = 2 ** 19;
/** The kernel takes a page at once. */
const writtenBytesMax = 4000;
const format = {
  bytesMax: 2 ** 20,
  decode: (bytes: Uint8Array) => ok(Buffer.from(bytes).toString('utf8')),
};

/** Reserves the ports, and gives back those that we had reserved and that are no longer wanted. */
export function reservePorts(paths: Paths, ranges: readonly PortRange[]): readonly Problem[] {
  const before = readRecord(paths);
  if (ranges.length === 0 && before.ok && before.value.size === 0) return failures(forget(paths));
  const locked = lockNetwork(paths, lockWaitMs);
  if (!locked.ok) return [locked.error];
  using _lock = locked.value;
  const recorded = readRecord(paths);
  if (!recorded.ok) return [recorded.error];
  const now = readKernel(paths);
  if (!now.ok) return [now.error];
  const { all, ours } = mergePorts(now.value, recorded.value, portsOf(ranges));
  const range = parsePortRange(readText(rangeFile(paths)) ?? '');
  if (range !== undefined && leavesTooFew(all, range) && all.size > now.value.size)
    return [tooMany(range)];
  const isSame = all.symmetricDifference(now.value).size === 0;
  const noted = writeRecord(paths, isSame ? ours : ours.union(recorded.value));
  if (!noted.ok) return [noted.error];
  if (isSame) return [];
  const failure = writeKernel(paths, all);
  return failure === undefined ? failures(writeRecord(paths, ours)) : [failure];
}

const tooMany = ({ first, last }: PortRange): Problem => ({
  action: 'reserve the ports of the policy',
  reason: `less than half of the ports from ${first} to ${last} would be left for connections of this host`,
  hint: 'keep other ports for tenants, such as 10000 to 30000',
});

/** Returns which of the ports are not reserved; undefined where that is not known. */
export function unreservedPorts(paths: Paths, ranges: readonly PortRange[]): Ports | undefined {
  const now = readKernel(paths);
  return now.ok ? portsOf(ranges).difference(now.value) : undefined;
}

const failures = (written: Result<void, Problem>): readonly Problem[] =>
  written.ok ? [] : [written.error];

/** The kernel gives its list to one call only: what a second one would read is missing. */
function readKernel(paths: Paths): Result<Ports, Problem> {
  const object = kernelFile(paths);
  const cannot = (cause: Cause) => failed({ ...cause, action: 'read', object });
  try {
    const fd = openSync(object, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const buffer = Buffer.alloc(listBytesMax);
      const length = readSync(fd, buffer);
      const ports = parsePorts(buffer.toString('latin1', 0, length));
      const isWhole = ports !== undefined && length < listBytesMax;
      return isWhole ? ok(ports) : cannot({ reason: 'it is not a list of ports' });
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return cannot(causeOf(error));
  }
}

/** A restart empties the kernel's list, and with it ours. */
function readRecord(paths: Paths): Result<Ports, Problem> {
  const object = recordFile(paths);
  const read = readTextFile(object, format, 'trusted');
  if (!read.ok) return read.error.errno === 'ENOENT' ? ok(new Set()) : read;
  const [boot, text = ''] = read.value.trim().split(' ');
  if (boot !== bootOf(paths)) return ok(new Set());
  const ports = parsePorts(text);
  return ports === undefined
    ? failed({ action: 'use the record', object, reason: 'it is damaged' })
    : ok(ports);
}

const forget = (paths: Paths) => removeFile(recordFile(paths));

const writeRecord = (paths: Paths, ports: Ports): Result<void, Problem> =>
  ports.size === 0
    ? forget(paths)
    : replaceFile(recordFile(paths), `${bootOf(paths)} ${formatPorts(ports).join(',')}\n`, 0o600);

/** The first piece replaces the list; the kernel adds what is written behind it. */
function writeKernel(paths: Paths, ports: Ports): Problem | undefined {
  const path = kernelFile(paths);
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      for (const piece of pieces(formatPorts(ports))) writeSync(fd, piece);
    } finally {
      closeSync(fd);
    }
    return undefined;
  } catch (error) {
    return { ...causeOf(error), action: 'write', object: path };
  }
}

function pieces(ranges: readonly string[]): readonly string[] {
  const found: string[] = [''];
  for (const range of ranges) {
    const last = found.at(-1) ?? '';
    if (last.length + range.length + 1 > writtenBytesMax) found.push(range);
    else found[found.length - 1] = last === '' ? range : `${last},${range}`;
  }
  return found.map((each) => `${each}\n`);
}
