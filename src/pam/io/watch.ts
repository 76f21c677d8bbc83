/**
 * The agent's check of the step. An installed package, or an administrator, may change PAM's files while it runs, and a
 * correct jump may then skip the wrong module. Faults are logged once; "bulkhead pam status" shows them again.
 */
import { statSync } from 'node:fs';
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import type { Paths } from '../../host/paths.ts';
import { faultsOf } from '../core/notes.ts';
import { ftpConfigurations } from './ftp-daemons.ts';
import { commonFiles, serviceFile } from './pam-files.ts';
import { stepOf } from './step.ts';
import { surveyLogin } from './survey.ts';

export function loginWatch(paths: Paths, log: Log): AgentPart {
  const step = stepOf(paths);
  const files = [
    serviceFile(''),
    ...commonFiles.map(serviceFile),
    ...ftpConfigurations,
    step.module,
  ];
  let seen = '';
  const reported = new Set<string>();
  return {
    afterTick() {
      const now = files.map(versionOf).join();
      if (now === seen) return;
      seen = now;
      for (const fault of faultsOf(surveyLogin(step, paths))) {
        if (reported.has(fault)) continue;
        reported.add(fault);
        log.warn(fault);
      }
    },
  };
}

function versionOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '-' : `${stat.ino}:${stat.mtimeMs}`;
}
