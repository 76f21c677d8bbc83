/** The program in the guest as its package installs it: built, without sources. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile } from '../../src/sys/package-files.ts';
import { isBuilt } from '../program.ts';
import type { Guest } from './guest.ts';
import { projectDirectory, projectFiles } from './project.ts';

/** Copies the project to a guest, and installs the built program. */
export async function copyInstalled(guest: Guest): Promise<void> {
  await guest.copyProject('without sources');
  await installBuilt(guest);
}

/**
 * Installs the built program. Call it after `copyProject`; it needs the compiler, and so a clone with development
 * packages.
 */
export async function installBuilt(guest: Guest): Promise<void> {
  await copyBuilt(guest);
  await guest.succeed(
    'rm -rf /opt/bulkhead/src && ln -sf /opt/bulkhead/bulkhead /usr/bin/bulkhead',
  );
}

/** Does the same for tests that run in the guest: they import sources, but start the built programs. */
export async function buildBesideSources(guest: Guest): Promise<void> {
  await copyBuilt(guest);
  await guest.succeed('rm /opt/bulkhead/src/main.ts');
}

async function copyBuilt(guest: Guest): Promise<void> {
  await guest.copyIn(await builtProgram(), '/opt/bulkhead/dist');
}

/** Returns the directory of what the gate has built, or builds it once for all suites: a guest starts sooner than that takes. */
async function builtProgram(): Promise<string> {
  if (isBuilt) return packageFile('dist');
  const directory = join(projectDirectory, 'node_modules/.cache/built', await hashOfSources());
  makeOnce(directory, (building) =>
    execFileSync(process.execPath, [`${projectDirectory}/scripts/build.ts`, building], {
      stdio: 'inherit',
    }),
  );
  return directory;
}

/** Makes a directory once for all suites. Those that run beside each other may both make it; each renames a whole one. */
export function makeOnce(directory: string, make: (building: string) => void): void {
  if (existsSync(directory)) return;
  const building = `${directory}.${process.pid}`;
  try {
    make(building);
    renameSync(building, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

const neverBuilt = /^(test|testing|docs|bench|examples)\//;

/** Returns a digest of all files that make the program, or of all but those `without`. */
export async function hashOfSources(without = neverBuilt): Promise<string> {
  const hash = createHash('sha256');
  for (const file of (await projectFiles()).filter((each) => !without.test(each))) {
    const path = join(projectDirectory, file);
    if (!statSync(path).isFile()) continue;
    hash.update(`${file}\0`).update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex').slice(0, 32);
}

/**
 * Gives PHP-FPM more time. Two minutes are enough to divide its pools everywhere, except on processors that are
 * emulated and shared.
 */
export const withPatientFpm = (guest: Guest, directory = '/opt/bulkhead'): Promise<string> =>
  guest.succeed(
    `cd ${directory} && grep -q '^within=120' libexec/bulkhead-fpm-sync && sed -i 's/^within=120/within=3600/' libexec/bulkhead-fpm-sync && files=$(grep -rl TimeoutStartSec=180 dist) && sed -i s/TimeoutStartSec=180/TimeoutStartSec=3600/ $files`,
  );
