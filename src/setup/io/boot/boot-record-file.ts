/** The record of a change of boot options on disk. It is replaced whole, so a reader finds the old one or the new one. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { removeFile, replaceStateFile } from '../../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../../host/paths.ts';
import { lockFile } from '../../../sys/files/flock.ts';
import { bootRecordText, parseBootRecord, type BootRecord } from '../../core/boot/record.ts';

type State = Pick<Paths, 'state'>;

export const bootRecordFile = ({ state }: State): string => `${state}/setup-boot.json`;

/** Entries of many kernels, in base64, before and after. */
const bytesMax = 64 * 2 ** 20;

export function readBootRecord(paths: State): Result<BootRecord | undefined, Problem> {
  const object = bootRecordFile(paths);
  const action = 'read the record of the boot options';
  const read = readBounded(object, bytesMax, { links: 'refuse' });
  if (!read.ok) {
    if (read.error.errno === 'ENOENT' || read.error.errno === 'ENOTDIR') return ok(undefined);
    return failed({ ...read.error, action });
  }
  const record = parseBootRecord(decodeText(read.value));
  if (record !== undefined) return ok(record);
  const reason = 'it is damaged, or of another version';
  const hint = 'move it away; then the boot options cannot be undone by Bulkhead';
  return failed({ action, object, reason, hint });
}

export const writeBootRecord = (paths: State, record: BootRecord): Result<void, Problem> =>
  replaceStateFile(bootRecordFile(paths), bootRecordText(record));

export const removeBootRecord = (paths: State): Result<void, Problem> =>
  removeFile(bootRecordFile(paths));

/** One change at a time. The lock is beside the runtime directory of the instance, which `release --all` removes. */
export const lockBoot = ({ runtime }: Pick<Paths, 'runtime'>) =>
  lockFile(`${runtime}-setup-boot.lock`, { waitMs: 0 });

/** Returns a text that differs after a reboot. */
export const readBootId = ({ proc }: Pick<Paths, 'proc'>): string =>
  readText(`${proc}/sys/kernel/random/boot_id`)?.trim() ?? '';
