/** Writes the record of the panel's accounts. Every command that loads a policy reads it, so that is apart from this. */
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { panelRecordPath } from '../../host/panel-record.ts';
import type { Paths } from '../../host/paths.ts';
import { formatPanelRecord, type PanelRecord } from '../../policy/panel/panel-record.ts';

export const writePanelRecord = (paths: Paths, record: PanelRecord): Result<void, Problem> =>
  replaceStateFile(panelRecordPath(paths), formatPanelRecord(record));
