/** The directory with copies of programs that the broker runs, as the BPF programs identify it. */
import { fstatSync, mkdirSync, readFileSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readMounts } from '../../sys/files/mounts.ts';
import { pinDirectory, problemOfItself } from '../../../packages/base/io/pinned-directory.ts';
import type { Directory } from '../core/program-maps.ts';
import { jailPathsOf } from './jail-paths.ts';

/**
 * Makes it as libexec/bulkhead-broker does. The device comes from the mount table, since stat(2) returns another one
 * for Btrfs subvolumes.
 */
export function makeBrokerDirectory(paths: Paths): Result<Directory, Problem> {
  const { programs } = jailPathsOf(paths);
  const cannot = { action: 'use the directory', object: programs } as const;
  try {
    mkdirSync(paths.state, { recursive: true, mode: 0o755 });
    mkdirSync(programs, { recursive: true, mode: 0o711 });
  } catch (error) {
    return failed({ ...cannot, ...causeOf(error) });
  }
  const pinned = pinDirectory(programs, 'refuse');
  if (!pinned.ok) return pinned;
  using directory = pinned.value;
  const problem = problemOfItself(directory);
  if (problem !== undefined) return failed({ ...cannot, ...problem });
  const id = mountOf(directory.fd);
  const device = readMounts({ proc: '/proc' }).find((mount) => mount.id === id)?.device;
  const [major, minor] = (device ?? '').split(':').map(Number);
  if (major === undefined || minor === undefined)
    return failed({ ...cannot, reason: 'its mount is not in /proc/self/mountinfo' });
  const { ino } = fstatSync(directory.fd, { bigint: true });
  return ok({ device: { major, minor }, inode: ino });
}

const mountOf = (fd: number) =>
  /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
