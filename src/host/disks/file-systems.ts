/**
 * The file systems that may contain tenants' files, and the disks below them.
 *
 * A file system is identified by the kernel: its superblock has a disk's device number. The source of a mount proves
 * nothing, since any user may mount a FUSE file system over a directory of its own (`fusermount3`) and call it
 * `/dev/sda1`. Such mounts are ignored. No mount point is ever opened: a FUSE mount's server can make the caller hang
 * forever.
 *
 * The kernel throttles disks, never partitions. It treats a device-mapper or md device as a separate disk, and I/O
 * throttled there is not limited again below.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { FileSystemFacts } from '../../limits/limit.ts';
import { nearestMount, readMounts, servedByProgram, type Mount } from '../../sys/files/mounts.ts';
import type { Paths } from '../paths.ts';
import { userQuotaOn } from './quotas.ts';
import { readText } from '../../../packages/base/io/read.ts';

/** Never written by tenants: images and boot file systems. */
const imageTypes = new Set(['squashfs', 'iso9660', 'erofs', 'udf', 'cramfs']);
const bootMounts = /^\/(boot|efi)(\/|$)/;

export interface FileSystems {
  readonly all: readonly FileSystemFacts[];
  /** Returns the file system of a directory; undefined if it is not on a disk. */
  readonly of: (directory: string) => FileSystemFacts | undefined;
}

export function readFileSystems(paths: Paths): FileSystems {
  const mounts = readMounts(paths).filter((each) => !servedByProgram.test(each.type));
  const found = new Map<string, FileSystemFacts>();
  for (const mount of mounts) {
    if (found.has(mount.device) || !mayHoldFiles(mount)) continue;
    const devices = disksOf(mount, paths);
    if (devices.length === 0) continue;
    const { mountPoint, type, device } = mount;
    const node = mount.device.startsWith('0:') ? undefined : deviceNode(device, paths);
    const userQuota = node !== undefined && userQuotaOn(node);
    found.set(device, { mountPoint, type, devices, node, userQuota });
  }
  return {
    all: [...found.values()],
    of: (directory) => found.get(nearestMount(directory, mounts)?.device ?? ''),
  };
}

/** Returns a function that finds the device file of a directory's file system, without asking the file system. */
export function nodeFinder(paths: Paths): (directory: string) => string | undefined {
  const mounts = readMounts(paths).filter((each) => !servedByProgram.test(each.type));
  const nodes = new Map<string, string | undefined>();
  return (directory) => {
    const { device } = nearestMount(directory, mounts) ?? {};
    if (device === undefined || device.startsWith('0:')) return undefined;
    if (!nodes.has(device)) nodes.set(device, deviceNode(device, paths));
    return nodes.get(device);
  };
}

const mayHoldFiles = ({ type, mountPoint }: Mount) =>
  !imageTypes.has(type) && !bootMounts.test(mountPoint);

/** Returns `MAJOR:MINOR` of each disk, once. */
export function disksUnder(fileSystems: readonly FileSystemFacts[]): readonly string[] {
  return [...new Set(fileSystems.flatMap((each) => each.devices))].sort();
}

function disksOf(mount: Mount, paths: Paths): readonly string[] {
  const devices = mount.device.startsWith('0:') ? membersOf(mount, paths) : [mount.device];
  return [...new Set(devices.flatMap((each) => wholeDisk(each, paths) ?? []))];
}

/**
 * Returns the devices of a btrfs, which has a device number of its own, and one device's name as its source. Only the
 * list in sysfs that contains this device is trusted. Other file systems with such a number have no known disk.
 */
function membersOf({ type, source }: Mount, paths: Paths): readonly string[] {
  const device = type === 'btrfs' ? blockDeviceAt(source) : undefined;
  if (device === undefined) return [];
  return btrfsMembers(paths).find((members) => members.includes(device)) ?? [];
}

function btrfsMembers(paths: Paths): readonly (readonly string[])[] {
  const root = `${paths.sys}/fs/btrfs`;
  return list(root).map((uuid) =>
    list(`${root}/${uuid}/devices`).flatMap((name) => {
      const device = readText(`${root}/${uuid}/devices/${name}/dev`)?.trim();
      return device === undefined ? [] : [device];
    }),
  );
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Returns the device file in /dev with the kernel's name for a number, if it is really that device. */
function deviceNode(device: string, paths: Paths): string | undefined {
  const text = readText(`${paths.sys}/dev/block/${device}/uevent`) ?? '';
  const node = `/dev/${/^DEVNAME=(.+)$/m.exec(text)?.[1] ?? ''}`;
  return blockDeviceAt(node) === device ? node : undefined;
}

/** Returns `MAJOR:MINOR` of a device file. Source: sys/sysmacros.h, as glibc has it. */
function blockDeviceAt(path: string): string | undefined {
  if (!path.startsWith('/dev/')) return undefined;
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isBlockDevice()) return undefined;
  return `${Math.floor(stat.rdev / 256) & 0xfff}:${(stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)}`;
}

/** Returns the disk of a partition, whose sysfs directory is inside the disk's directory. */
function wholeDisk(device: string, paths: Paths): string | undefined {
  const link = `${paths.sys}/dev/block/${device}`;
  if (!existsSync(link)) return undefined;
  const directory = realpathSync(link);
  if (!existsSync(`${directory}/partition`)) return device;
  return readText(`${dirname(directory)}/dev`)?.trim();
}

/** Returns the name of a disk for display: `vda`. */
export function diskName(device: string, paths: Paths): string {
  try {
    return basename(realpathSync(`${paths.sys}/dev/block/${device}`));
  } catch {
    return device;
  }
}
