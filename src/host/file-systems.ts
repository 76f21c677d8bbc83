/**
 * The file systems that may hold tenants' files, and the disks below them.
 *
 * The kernel throttles a disk, never a partition; a device-mapper or md device is a disk of its
 * own to it, and what is throttled there is not limited a second time below.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { FileSystemFacts } from '../limits/limit.ts';
import { type Mount, readMounts } from './mounts.ts';
import type { Paths } from './paths.ts';
import { userQuotaOn } from './quotas.ts';
import { readText } from './read.ts';

/** Never written by tenants: images, and what boots the machine. */
const imageTypes = new Set(['squashfs', 'iso9660', 'erofs', 'udf', 'cramfs']);
const bootMounts = /^\/(boot|efi)(\/|$)/;

export function readFileSystems(paths: Paths): readonly FileSystemFacts[] {
  const seen = new Set<string>();
  return readMounts(paths).flatMap((mount): FileSystemFacts[] => {
    if (imageTypes.has(mount.type) || bootMounts.test(mount.mountPoint) || seen.has(mount.device)) {
      return [];
    }
    const devices = disksOf(mount, paths);
    if (devices.length === 0) return [];
    seen.add(mount.device);
    const { mountPoint, type, source } = mount;
    return [{ mountPoint, type, source, devices, userQuota: userQuotaOn(mountPoint, source) }];
  });
}

/** `MAJOR:MINOR` of each disk, once. */
export function disksUnder(fileSystems: readonly FileSystemFacts[]): readonly string[] {
  return [...new Set(fileSystems.flatMap((each) => each.devices))].sort();
}

function disksOf(mount: Mount, paths: Paths): readonly string[] {
  const devices = mount.device.startsWith('0:') ? membersOf(mount, paths) : [mount.device];
  return [...new Set(devices.flatMap((each) => wholeDisk(each, paths) ?? []))];
}

/** btrfs shows a device number of its own; sysfs lists what it is made of. */
function membersOf(mount: Mount, paths: Paths): readonly string[] {
  const first = blockDeviceOf(mount.source);
  if (first === undefined) return [];
  if (mount.type !== 'btrfs') return [first];
  const all = btrfsMembers(paths).find((members) => members.includes(first));
  return all ?? [first];
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

function blockDeviceOf(source: string): string | undefined {
  if (!source.startsWith('/dev/')) return undefined;
  const stat = statSync(source, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isBlockDevice()) return undefined;
  return `${Math.floor(stat.rdev / 256) & 0xfff}:${(stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00)}`;
}

/** A partition's directory in sysfs lies inside its disk's. */
function wholeDisk(device: string, paths: Paths): string | undefined {
  const link = `${paths.sys}/dev/block/${device}`;
  if (!existsSync(link)) return undefined;
  const directory = realpathSync(link);
  if (!existsSync(`${directory}/partition`)) return device;
  return readText(`${dirname(directory)}/dev`)?.trim();
}

/** Name of a disk, for people: `vda`. */
export function diskName(device: string, paths: Paths): string {
  try {
    return basename(realpathSync(`${paths.sys}/dev/block/${device}`));
  } catch {
    return device;
  }
}
