/** Writes `/var/lve/info` after a tick, where `bulkhead cloudlinux enable` has asked for it. */
import { lveInfoDirectory, writeLveInfo } from './lve-info-file.ts';
import type { Paths } from '../../host/paths.ts';
import type { AgentPart } from '../../agent/part.ts';
import type { Log } from '../../agent/log.ts';
import { reportOnce } from '../../host/reconcile/report-once.ts';
import { lveInfo } from '../core/lve-info.ts';

export function lveInfoWriter(paths: Paths, log: Log): AgentPart {
  const report = reportOnce((text) => log.error(text));
  return {
    afterTick(rows, defaults) {
      const directory = lveInfoDirectory(paths);
      if (directory === undefined) return;
      report(writeLveInfo(directory, lveInfo(rows(), defaults)));
    },
  };
}
