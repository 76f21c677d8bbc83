/** The cgroup of a build in a jail. */
import type { Cause } from '../../../base/problem.ts';
import type { Result } from '../../../base/result.ts';
import { makeScratchCgroup, type ScratchCgroup } from '../../../host/cgroups/scratch-cgroup.ts';

interface JailBounds {
  readonly memoryBytes: number;
  readonly processes: number;
}

export type JailCgroup = ScratchCgroup;

/** The processes of the programs that make the jail. */
const ownProcesses = 16;

export const makeJailCgroup = ({ memoryBytes, processes }: JailBounds): Result<JailCgroup, Cause> =>
  makeScratchCgroup('jail', {
    memoryBytes,
    processes: processes + ownProcesses,
    isBackground: true,
  });

/** Returns a remark for the report: what is not bounded without such a cgroup. */
export const boundedByProcess = (why: string): string =>
  `The memory and CPU of the build were limited per process, but not in total: ${why}`;
