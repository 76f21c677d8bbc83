/**
 * The centre on this machine, as commands about a rollout need it: if it leads the rollout, its record is newer than the
 * published one.
 */
import { Option } from 'commander';
import { join } from 'node:path';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { TrustDocument } from '../../core/documents.ts';
import { joinedInOrder } from '../../core/rollout/agree.ts';
import { blobOf } from '../../core/parse.ts';
import type { LastRecord } from '../../io/rollout/controller.ts';
import { readMemory } from '../../io/rollout/memory.ts';
import { signedRecord } from '../../io/rollout/signed-record.ts';

export const centreOption = (): Option =>
  new Option(
    '--centre <directory>',
    'the directory of the centre, which may lead the rollout by itself',
  ).default('/var/lib/bulkhead-fleet-server');

/** Returns what counts of the published record and the one of the centre, with the number of the published one. */
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

const keyBytesMax = 4096;

/** Returns the name under which the trust lists the centre's key; undefined if it does not, or if there is no centre. */
export function leaderIn(directory: string, trust: TrustDocument): string | undefined {
  const read = readBounded(join(directory, 'controller.pub'), keyBytesMax, { links: 'refuse' });
  const [, blob] = read.ok ? decodeText(read.value).split(' ') : [];
  return trust.controllers.find((each) => blobOf(each) === blob)?.name;
}
