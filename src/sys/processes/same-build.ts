/**
 * Keeps files of two builds from running together. While a package manager replaces the files, an agent of the old
 * build would start processes and threads of the new one. Each is started with the build of its parent in `BUILD`, and
 * exits with a status of its own if it is of another build. The agent then ends, and systemd starts the new one
 * (`agent/other-build.ts`).
 */
import { writeSync } from 'node:fs';
import { env, exit } from 'node:process';

/** The version and the digest of the sources, which the bundler fills in. */
declare const BULKHEAD_BUILD: string;

/** The build of this process; a clone runs its sources as they are. */
export const ownBuild = typeof BULKHEAD_BUILD === 'undefined' ? 'sources' : BULKHEAD_BUILD;

/** The exit status of a process or thread that is of another build than its parent. */
export const otherBuildStatus = 86;

/** Exits unless the parent is of the same build; every script that has a parent calls it first. */
export function requireSameBuild(): void {
  const wanted = env['BUILD'];
  if (wanted === undefined || wanted === ownBuild) return;
  writeSync(
    2,
    `the files of another version were installed meanwhile (${ownBuild} instead of ${wanted}); run the command again\n`,
  );
  exit(otherBuildStatus);
}

const installed = Promise.withResolvers<void>();

/** Resolves once a process or thread of this process was of another build. */
export const otherBuildInstalled = installed.promise;

/** Notes the exit status of a process or thread that this process has started. */
export function noteExit(status: number | null): void {
  if (status === otherBuildStatus) installed.resolve();
}
