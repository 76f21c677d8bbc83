/** Writes `/var/lve/info` after a tick, where `bulkhead cloudlinux install` has asked for it. */
import { lveInfoDirectory, writeLveInfo } from './lve-info-file.ts';
import type { Paths } from '../../host/paths.ts';
import type { AgentPart } from '../../agent/part.ts';
import type { Log } from '../../agent/log.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { lveInfo } from '../core/lve-info.ts';

export function lveInfoWriter(paths: Paths, log: Log): AgentPart {
  let reported: string | undefined;
  return {
    afterTick(rows, defaults) {
      const directory = lveInfoDirectory(paths);
      if (directory === undefined) return;
      const written = writeLveInfo(directory, lveInfo(rows(), defaults));
      const problem = written.ok ? undefined : formatProblem(written.error);
      if (problem !== undefined && problem !== reported) log.error(problem);
      reported = problem;
    },
  };
}
