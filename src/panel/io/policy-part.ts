/** Removes what was read from the panel together with everything else of Bulkhead's. */
import { removeFile } from '../../../packages/base/io/replace-file.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { panelRecordPath } from '../../host/panel-record.ts';
import type { Paths } from '../../host/paths.ts';

export const panelPolicy = {
  async release(paths: Paths): Promise<readonly Problem[]> {
    const removed = removeFile(panelRecordPath(paths));
    return removed.ok ? [] : [removed.error];
  },
};
