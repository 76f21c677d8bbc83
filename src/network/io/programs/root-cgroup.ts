/**
 * The cgroup that the programs are attached to: the root of the version 2 tree, which has all processes of the host. Hosts
 * whose controllers are all in version 1 have that tree as well, but it may be mounted nowhere. It is opened by a mount
 * that is in no directory, and ends with its descriptor. Where it is mounted that would change its options.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { causeOf } from '../../../../packages/base/io/errno.ts';
import { findUnified } from '../../../host/cgroups/hierarchies.ts';
import type { Paths } from '../../../host/paths.ts';
import { closeDescriptor, makeFileSystem, mountAttributes } from '../../../sys/mount-calls.ts';

export interface OpenCgroup extends Disposable {
  readonly fd: number;
  /** Tells it from others, also from one of the same name that was made later. */
  readonly id: string;
}

export interface CgroupPlace extends Paths {
  /** The directory of another cgroup; by default, the root. */
  readonly cgroup?: string;
}

const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export function openCgroup(place: CgroupPlace): Result<OpenCgroup, Problem> {
  const path = place.cgroup ?? findUnified(place)?.mountPoint;
  try {
    const fd = path === undefined ? openUnmounted() : openSync(path, flags);
    return ok({ fd, id: idOf(fd, place), [Symbol.dispose]: () => closeSync(fd) });
  } catch (error) {
    return failed({
      action: 'open the tree of cgroups of version 2',
      ...(path === undefined ? {} : { object: path }),
      ...causeOf(error),
    });
  }
}

/** There is one root; a mount that is made for each look at it has other numbers each time. */
function idOf(fd: number, { cgroup }: CgroupPlace): string {
  if (cgroup === undefined) return 'root';
  const { dev, ino } = fstatSync(fd);
  return `${dev} ${ino}`;
}

function openUnmounted(): number {
  const { nosuid, nodev, noexec } = mountAttributes;
  const mount = makeFileSystem('cgroup2', {}, nosuid | nodev | noexec);
  try {
    return openSync(`/proc/self/fd/${mount}/.`, constants.O_RDONLY | constants.O_DIRECTORY);
  } finally {
    closeDescriptor(mount);
  }
}
