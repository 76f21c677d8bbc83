/** The program in the guest as its package installs it: built, without sources. */
import { execFileSync } from 'node:child_process';
import type { Guest } from './guest.ts';
import { projectDirectory } from './project.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

/**
 * Installs the built program. Call it after `copyProject`; it needs the compiler, and so a clone with development
 * packages.
 */
export async function installBuilt(guest: Guest): Promise<void> {
  await copyBuilt(guest);
  await guest.succeed('rm -r /opt/bulkhead/src && ln -sf /opt/bulkhead/bulkhead /usr/bin/bulkhead');
}

/** Does the same for tests that run in the guest: they import sources, but start the built programs. */
export async function buildBesideSources(guest: Guest): Promise<void> {
  await copyBuilt(guest);
  await guest.succeed('rm /opt/bulkhead/src/main.ts');
}

async function copyBuilt(guest: Guest): Promise<void> {
  using scratch = temporaryDirectory('built');
  const directory = scratch.path;
  execFileSync(process.execPath, [`${projectDirectory}/scripts/build.ts`, directory], {
    stdio: 'inherit',
  });
  await guest.copyIn(directory, '/opt/bulkhead/dist');
}

/**
 * Gives PHP-FPM more time. Two minutes are enough to divide its pools everywhere, except on processors that are
 * emulated and shared.
 */
export const withPatientFpm = (guest: Guest, directory = '/opt/bulkhead'): Promise<string> =>
  guest.succeed(
    `cd ${directory} && grep -q '^within=120' libexec/bulkhead-fpm-sync && sed -i 's/^within=120/within=3600/' libexec/bulkhead-fpm-sync && files=$(grep -rl TimeoutStartSec=180 dist) && sed -i s/TimeoutStartSec=180/TimeoutStartSec=3600/ $files`,
  );
