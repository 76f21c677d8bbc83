/** Writes the record of the panel's accounts. Every command that loads a policy reads it, so that is apart from this. */
import { mkdirSync } from 'node:fs';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import { panelRecordPath } from '../../host/panel-record.ts';
import type { Paths } from '../../host/paths.ts';
import { formatPanelRecord, type PanelRecord } from '../../policy/panel/panel-record.ts';

export function writePanelRecord(paths: Paths, record: PanelRecord): Result<void, Problem> {
  const path = panelRecordPath(paths);
  try {
    mkdirSync(paths.state, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ ...causeOf(error), action: 'write', object: path });
  }
  return replaceFile(path, formatPanelRecord(record), 0o600);
}
