/** The record of the panel's accounts, `/var/lib/bulkhead/panel.json`. Only `bulkhead panel sync` writes it. */
import { mkdirSync } from 'node:fs';
import { causeOf } from '../../packages/base/io/errno.ts';
import { decodeText, readBounded } from '../../packages/base/io/regular-file.ts';
import { replaceFile } from '../../packages/base/io/replace-file.ts';
import { failed, type Cause, type Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import {
  formatPanelRecord,
  parsePanelRecord,
  type PanelRecord,
} from '../policy/panel/panel-record.ts';
import type { Paths } from './paths.ts';

export const panelRecordPath = ({ state }: Pick<Paths, 'state'>): string => `${state}/panel.json`;

/** A hundred thousand accounts take 20 MB. */
const bytesMax = 64 * 2 ** 20;

/** Returns the record; undefined if there is none. */
export function readPanelRecord(
  paths: Pick<Paths, 'state'>,
): Result<PanelRecord, Cause> | undefined {
  const read = readBounded(panelRecordPath(paths), bytesMax, { links: 'refuse' });
  if (read.ok) return parsePanelRecord(decodeText(read.value));
  return read.error.errno === 'ENOENT' ? undefined : read;
}

export function writePanelRecord(paths: Paths, record: PanelRecord): Result<void, Problem> {
  const path = panelRecordPath(paths);
  try {
    mkdirSync(paths.state, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ ...causeOf(error), action: 'write', object: path });
  }
  return replaceFile(path, formatPanelRecord(record), 0o600);
}
