/**
 * Whether the kernel itself has the contents of files at a place, so that what the gate hashes is what is loaded: the same
 * rule as `is_stable` of bpf/modules.bpf.c.
 */
import { realpathSync, statfsSync } from 'node:fs';
import type { Cause } from '../../../base/problem.ts';
import { causeOf } from '../../../sys/errno.ts';
import { nearestMount, readMounts, servedByProgram } from '../../../sys/files/mounts.ts';
import type { Paths } from '../../../host/paths.ts';

/** Without a block device of their own below them. Source: include/uapi/linux/magic.h, fs/zfs of OpenZFS. */
const kept: ReadonlySet<number> = new Set([
  0x858458f6, // ramfs
  0x01021994, // tmpfs
  0x9123683e, // btrfs
  0xca451a4e, // bcachefs
  0x2fc12fc1, // zfs
]);
const noDevice = /^0:/;

/** Why nothing that lies there would load; undefined if it can. */
export function unstableAt(directory: string, paths: Paths): Cause | undefined {
  let real: string;
  try {
    real = realpathSync(directory);
  } catch (error) {
    return causeOf(error);
  }
  const mount = nearestMount(real, readMounts(paths));
  if (mount === undefined) return undefined;
  const unstable = {
    reason: `modules lie on a file system (${mount.type}) whose contents can change between the check and the load, so that none would load`,
    hint: '"bulkhead modules gate signatures" needs no list',
  };
  if (servedByProgram.test(mount.type)) return unstable;
  if (!noDevice.test(mount.device)) return undefined;
  try {
    return kept.has(statfsSync(real).type >>> 0) ? undefined : unstable;
  } catch (error) {
    return causeOf(error);
  }
}
