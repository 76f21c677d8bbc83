/**
 * This process's mounts.
 *
 *     32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
 *
 * Source: proc_pid_mountinfo(5).
 */
import { readText } from '../../../packages/base/io/read.ts';

export interface Mount {
  /** The mount id, `mnt_id` in `/proc/PID/fdinfo`. */
  readonly id: string;
  /** `MAJOR:MINOR`. */
  readonly device: string;
  /** The part of the file system that is mounted; `/` is all of it. */
  readonly root: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly source: string;
  readonly readOnly: boolean;
  /** Whether the kernel ignores setuid and setgid bits of its files. */
  readonly noSetuid: boolean;
  readonly superOptions: readonly string[];
}

/** Decodes spaces and the like, which are written as `\040`. */
const unescape = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));

export function parseMountInfo(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line): Mount[] => {
    const [left, right] = line.split(' - ');
    if (left === undefined || right === undefined) return [];
    const [id = '', , device = '', root = '', mountPoint = '', options = ''] = left.split(' ');
    const [type = '', source = '', superOptions = ''] = right.split(' ');
    return [
      {
        id,
        device,
        root: unescape(root),
        mountPoint: unescape(mountPoint),
        type,
        source: unescape(source),
        readOnly: options.split(',').includes('ro'),
        noSetuid: options.split(',').includes('nosuid'),
        superOptions: superOptions.split(','),
      },
    ];
  });
}

export function readMounts({ proc }: { readonly proc: string }): readonly Mount[] {
  return parseMountInfo(readText(`${proc}/self/mountinfo`) ?? '');
}

/** Matches `fuse`, `fuse.sshfs`, `fuseblk`: served by a program, which may be a tenant's. */
export const servedByProgram = /^fuse/;

/** Returns the mount with the longest path above the directory; of several at one path the last. */
export function nearestMount(directory: string, mounts: readonly Mount[]): Mount | undefined {
  let nearest: Mount | undefined;
  for (const mount of mounts) {
    if (!isWithin(directory, mount.mountPoint)) continue;
    if (mount.mountPoint.length >= (nearest?.mountPoint.length ?? 0)) nearest = mount;
  }
  return nearest;
}

const isWithin = (directory: string, mountPoint: string) =>
  directory === mountPoint || directory.startsWith(mountPoint.replace(/\/?$/, '/'));
