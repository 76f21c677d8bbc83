/**
 * Landlock, which holds what is in a jail where the kernel asks no BPF programs: what it opens is below the jail's root.
 * The program of pam/bulkhead-landlock.c applies it for the launcher, and the module of PAM does so itself.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fail, ok, type Result } from '../../base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { packageFile } from '../../sys/package-files.ts';

export const landlockProgram = packageFile(`dist/pam/${process.arch}/bulkhead-landlock`);

/** Linux 5.19: with the first version no file can be renamed to another directory. */
const versionMin = 2;
/** Long, since jails that are built after it are entered without. */
const timeoutMilliseconds = 60_000;
/** Linux 6.12. */
const versionWithSockets = 6;

/** Which version the kernel has, or why it cannot be used. */
export function findLandlock(): Result<number> {
  if (!existsSync(landlockProgram))
    return fail(`Landlock is not applied: there is no ${landlockProgram}`);
  const { stdout, error } = spawnSync(landlockProgram, {
    encoding: 'utf8',
    timeout: timeoutMilliseconds,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (error !== undefined || !/^\d+\n$/.test(stdout))
    return fail(`Landlock is not applied: ${landlockProgram} cannot be run here`);
  const version = Number(stdout);
  if (version >= versionMin) return ok(version);
  const has = version === 0 ? 'no Landlock in force' : `version ${version} of Landlock`;
  return fail(`this kernel has ${has} (Linux 5.19 brings the version ${versionMin})`);
}

/** Whether jails that are built now are entered under it. */
export const appliesLandlock = (paths: Paths): boolean =>
  lsmProblem(paths) !== undefined && findLandlock().ok;

/** For people, what is open all the same. */
export const openWithLandlock = (version: number): string =>
  [
    'a process of the same uid outside of a jail can look into it',
    'programs that a daemon starts as the tenant, such as a mail server for a .forward, run outside',
    'below a directory that is handed over, names and attributes can be read and sockets connected to',
    ...(version < versionWithSockets ? ['abstract sockets of others are reached'] : []),
  ].join('; ');
