/** Removes the records of digests together with everything else of Bulkhead's. */
import { removeFile } from '../../../packages/base/io/replace-file.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import { diskHistoryPath } from './disk-history.ts';
import { ledgerPath } from './ledger.ts';

export const digestPolicy = {
  async release(paths: Paths): Promise<readonly Problem[]> {
    const removed = [ledgerPath(paths), diskHistoryPath(paths)].map(removeFile);
    return removed.flatMap((each) => (each.ok ? [] : [each.error]));
  },
};
