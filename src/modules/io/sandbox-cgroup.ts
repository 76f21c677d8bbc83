/** The cgroup of a build in a sandbox. */
import type { Cause } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { makeScratchCgroup, type ScratchCgroup } from '../../host/cgroups/scratch-cgroup.ts';

interface JailBounds {
  readonly memoryBytes: number;
  readonly processes: number;
}

/** The processes of the programs that make the sandbox. */
const ownProcesses = 16;

export const makeJailCgroup = ({
  memoryBytes,
  processes,
}: JailBounds): Result<ScratchCgroup, Cause> =>
  makeScratchCgroup('jail', {
    memoryBytes,
    processes: processes + ownProcesses,
    isBackground: true,
  });
