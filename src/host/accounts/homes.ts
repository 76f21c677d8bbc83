/**
 * Identifies a home directory among all that are or were at its path, by its inode and creation time. The inode would
 * not suffice, since file systems soon reuse its number.
 *
 * Only directories on a disk are inspected. One on a FUSE mount, which may be a tenant's own, could make the caller
 * hang forever. So could one on a network file system. The descriptor is opened without involving the file system
 * (O_PATH), and the kernel reports which mount it is on. Runs in a process that may be killed.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { Account } from '../../policy/policy.ts';
import { nearestMount, readMounts, servedByProgram } from '../../sys/files/mounts.ts';
import type { Paths } from '../paths.ts';
import { readText } from '../../../packages/base/io/read.ts';

const O_PATH = 0o10000000;
const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** Returns the marks of the homes by uid, without unknown ones. */
export function markHomes(
  accounts: readonly Account[],
  paths: Paths,
): readonly (readonly [uid: number, mark: string])[] {
  const mounts = readMounts(paths);
  const served = mounts.filter(({ type }) => servedByProgram.test(type));
  const onDisk = new Set(
    mounts
      .filter(
        ({ device, type }) =>
          (!device.startsWith('0:') || type === 'btrfs') && !servedByProgram.test(type),
      )
      .map((each) => each.id),
  );
  return accounts.flatMap(({ uid, home }) => {
    if (nearestMount(home, served) !== undefined) return [];
    const mark = markOf(home, onDisk, paths);
    return mark === undefined ? [] : [[uid, mark] as const];
  });
}

function markOf(home: string, onDisk: ReadonlySet<string>, { proc }: Paths): string | undefined {
  let fd: number;
  try {
    fd = openSync(home, flags);
  } catch {
    return undefined;
  }
  try {
    const mount = /^mnt_id:\s*(\d+)$/m.exec(readText(`${proc}/self/fdinfo/${fd}`) ?? '')?.[1];
    if (mount === undefined || !onDisk.has(mount)) return undefined;
    const { ino, birthtimeNs } = fstatSync(fd, { bigint: true });
    return `${ino}.${birthtimeNs}`;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
