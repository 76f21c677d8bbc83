/**
 * Landlock, which confines jailed processes if the kernel runs no BPF LSM programs: they only open files below the
 * jail's root. The program from pam/bulkhead-landlock.c applies it for the launcher; the PAM module applies it itself.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { packageFile } from '../../sys/package-files.ts';

export const landlockProgram = packageFile(`dist/pam/${process.arch}/bulkhead-landlock`);

/** The first usable version, of Linux 5.19: with version 1, no file can be renamed to another directory. */
const versionMin = 2;
/** The time for the check. It is long, since jails that are built after a failed one are entered without Landlock. */
const timeoutMilliseconds = 60_000;
/** The first version that restricts abstract sockets, of Linux 6.12. */
const versionWithSockets = 6;

/** Returns the kernel's Landlock version, or why it cannot be used. */
export function findLandlock(): Result<number, Cause> {
  if (!existsSync(landlockProgram))
    return fail({ reason: `Landlock is not applied: there is no ${landlockProgram}` });
  const { stdout, error } = spawnSync(landlockProgram, {
    encoding: 'utf8',
    timeout: timeoutMilliseconds,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (error !== undefined || !/^\d+\n$/.test(stdout))
    return fail({ reason: `Landlock is not applied: ${landlockProgram} cannot be run here` });
  const version = Number(stdout);
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
