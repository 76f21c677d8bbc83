/** The files that entries want, and what differs from them now. Only files that carry our mark are ever replaced. */
import { basename, dirname } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { FileChange } from '../../../sys/files/file-transaction.ts';
import { readHostFile } from '../../../sys/files/host-file.ts';
import { decodeText } from '../../../../packages/base/io/regular-file.ts';

export interface WantedFile {
  readonly path: string;
  /** The text; undefined if the file is not to exist. */
  readonly text: string | undefined;
  /** Whether it is a file that a panel keeps in a tenant's home. */
  readonly inHome?: boolean;
}

/** Returns what differs now. A file of somebody else's under one of our names is a problem. */
export function changesTo(
  wanted: readonly WantedFile[],
  mark: string,
): Result<readonly FileChange[], Problem> {
  const changes: FileChange[] = [];
  for (const { path, text: after, inHome = false } of wanted) {
    const ownDirectory = basename(dirname(path)) === 'bulkhead';
    const file = { path, inHome, ownDirectory };
    const read = readHostFile(file);
    if (!read.ok) return read;
    const before = read.value && decodeText(read.value.bytes);
    if (before === after) continue;
    if (before !== undefined && !before.startsWith(mark)) {
      const reason = "a file that is not Bulkhead's is there";
      return failed({ action: 'write', object: path, reason, hint: 'move it away first' });
    }
    changes.push({ ...file, before, after });
  }
  return ok(changes);
}
