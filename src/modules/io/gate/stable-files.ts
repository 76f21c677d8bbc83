/**
 * Whether the kernel itself has the contents of files at a place, so that it loads the bytes that
 * the gate hashed. The rule is the same as `is_stable` of bpf/modules.bpf.c.
 */
import { realpathSync, statfsSync } from 'node:fs';
import type { Cause } from '../../../../packages/base/problem.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { nearestMount, readMounts, servedByProgram } from '../../../sys/files/mounts.ts';
import type { Paths } from '../../../host/paths.ts';

/**
 * File systems without a block device below them that keep contents. Source:
 * include/uapi/linux/magic.h, fs/zfs of OpenZFS.
 */
const kept: ReadonlySet<number> = new Set([
  0x858458f6, // ramfs
  0x01021994, // tmpfs
  0x9123683e, // btrfs
  0xca451a4e, // bcachefs
  0x2fc12fc1, // zfs
]);
const noDevice = /^0:/;

/** Returns why no file at that place would load; undefined if one can. */
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
