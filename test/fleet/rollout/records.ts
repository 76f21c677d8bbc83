/** Rollout records, really signed by a controller's key of `ssh-keygen`. */
import { namespaces } from '../../../src/fleet/core/documents.ts';
import { documentText } from '../../../src/fleet/core/parse.ts';
import { recordFileText } from '../../../src/fleet/core/rollout/parse-record.ts';
import type { RolloutRecord } from '../../../src/fleet/core/rollout/record.ts';
import { at, fleet, signed, start, type Person } from '../people.ts';

export const hours = (count: number): string => new Date(start + count * 3_600_000).toISOString();

export const recordOf = (more: Partial<RolloutRecord> = {}): RolloutRecord => ({
  format: 1,
  fleet,
  trust: 1,
  sequence: 1,
  after: 0,
  release: { trust: 1, generation: 1, root: '0'.repeat(64) },
  verdict: 'go',
  wave: 1,
  opened: at(0),
  issued: at(0),
  expires: at(1),
  reason: '',
  ...more,
});

/** Returns the file of a record. */
export const recordFile = (
  more: Partial<RolloutRecord>,
  signer: Person,
  namespace: string = namespaces.rollout,
): string => recordFileText(signed(documentText(recordOf(more)), [signer], namespace));
