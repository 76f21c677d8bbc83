/** The files and cgroups of a run of the demo, and how to remove them. */
import { existsSync, rmSync } from 'node:fs';
import { formatProblem } from '../../packages/base/problem.ts';
import { releaseAll } from '../../src/apply/apply.ts';
import type { Host } from '../../src/host/host.ts';
import { paths } from './place.ts';
import { removeScratch, scratchDirectories } from './scratch.ts';

/** Whether a former run was killed before it could clean up. */
export const hasTraces = () =>
  [paths.runtime, paths.state].some((path) => existsSync(path)) || scratchDirectories().length > 0;

/** Removes cgroups with all processes in them, then files. Returns what could not be removed. */
export function removeTraces(host: Host): readonly string[] {
  const released = releaseAll(host, { kill: true });
  // A process that is left could still replace files by links, and the state lists the limits to
  // lift.
  if (!released.ok) return released.error.map(formatProblem);
  removeScratch();
  for (const path of [paths.runtime, paths.state]) rmSync(path, { recursive: true, force: true });
  return [];
}
