/** What a run of the demo leaves on the host while it lasts, and taking it all away. */
import { existsSync, rmSync } from 'node:fs';
import { printProblem } from '../../base/problem.ts';
import { releaseAll } from '../../apply/apply.ts';
import type { Host } from '../../host/host.ts';
import { paths } from './place.ts';
import { removeScratch, scratchDirectories } from './scratch.ts';

/** Whether a former run was killed before it could clear up. */
export const hasTraces = () =>
  [paths.runtime, paths.state].some((path) => existsSync(path)) || scratchDirectories().length > 0;

/** Removes cgroups with all that runs in them, then files. Answers what could not be removed. */
export function removeTraces(host: Host): readonly string[] {
  const released = releaseAll(host, { kill: true });
  // While a process is left it could still put links in the way, and the state says what to lift.
  if (!released.ok) return released.error.map(printProblem);
  removeScratch();
  for (const path of [paths.runtime, paths.state]) rmSync(path, { recursive: true, force: true });
  return [];
}
