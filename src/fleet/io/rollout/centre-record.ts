/** The record that counts where a centre may lead: its own one is newer than the published one then. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { TrustDocument } from '../../core/documents.ts';
import { joinedInOrder } from '../../core/rollout/agree.ts';
import type { LastRecord } from './controller.ts';
import { readMemory } from './memory.ts';
import { signedRecord } from './signed-record.ts';

/** Returns what the published record and the one in the centre's directory say together, with the number of the first. */
export function withCentre(
  directory: string,
  published: LastRecord,
  trust: TrustDocument,
): Result<LastRecord, Problem> {
  const memory = readMemory(directory);
  if (!memory.ok)
    return memory.error.errno === 'EACCES'
      ? failed({ ...memory.error, hint: 'run this as root' })
      : memory;
  const own = signedRecord(memory.value.last, trust)?.record;
  return ok({ ...published, record: joinedInOrder(published.record, own) });
}
