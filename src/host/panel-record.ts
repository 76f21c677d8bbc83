/** The record of the panel's accounts, `/var/lib/bulkhead/panel.json`. Only `bulkhead panel sync` writes it. */
import { decodeText, readBounded } from '../../packages/base/io/regular-file.ts';
import type { Cause } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { parsePanelRecord, type PanelRecord } from '../policy/panel/panel-record.ts';
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
