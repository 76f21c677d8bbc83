/** Removes the records of digests together with everything else of Bulkhead's. */
import { removeFile } from '../../../packages/base/io/replace-file.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { releaseDigestChoices } from '../../host/digest-choices.ts';
import type { Paths } from '../../host/paths.ts';
import { diskHistoryPath } from './disk-history.ts';
import { ledgerPath } from './ledger.ts';

export const digestPolicy = {
  async release(paths: Paths): Promise<readonly Problem[]> {
    const files = [ledgerPath(paths), diskHistoryPath(paths)].map(removeFile);
    const removed = [...files, releaseDigestChoices(paths)];
    return removed.flatMap((each) => (each.ok ? [] : [each.error]));
  },
};
