/**
 * Landlock, which confines jailed processes if the kernel runs no BPF LSM programs: they only open files below the
 * jail's root. The launcher and the PAM module apply it: entry/landlock.c.
 */
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { landlockVersion } from '../../sys/syscalls.ts';

/** The first usable version, of Linux 5.19: with version 1, no file can be renamed to another directory. */
const versionMin = 2;
/** The first version that restricts abstract sockets, of Linux 6.12. */
const versionWithSockets = 6;

/** Returns the kernel's Landlock version, or why it cannot be used. */
export function findLandlock(): Result<number, Cause> {
  const version = landlockVersion();
  if (version >= versionMin) return ok(version);
  const has = version === 0 ? 'no Landlock in force' : `version ${version} of Landlock`;
  return fail({ reason: `this kernel has ${has} (Linux 5.19 brings the version ${versionMin})` });
}

/** Whether jails that are built now are entered under it. */
export const appliesLandlock = (paths: Paths): boolean =>
  lsmProblem(paths) !== undefined && findLandlock().ok;

/** Returns, for people, what stays possible in spite of Landlock. */
export const openWithLandlock = (version: number): string =>
  [
    'a process of the same uid outside the jail can see into it',
    'programs that a daemon starts as the tenant, such as a mail server for a .forward, run outside',
    'below a directory that is handed over, names and attributes can be read and sockets connected to',
    ...(version < versionWithSockets ? ['abstract sockets of others are reached'] : []),
  ].join('; ');
