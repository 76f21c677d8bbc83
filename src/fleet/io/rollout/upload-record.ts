/** Brings the record that a command has put into the published directory to the servers, which bring it to hosts. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Centre } from '../../core/rollout/centre.ts';
import { compareRecords } from '../../core/rollout/agree.ts';
import { fleetFiles } from '../directory/fleet-directory.ts';
import { readTrustFile } from '../given-trust.ts';
import { lastRecord } from './controller.ts';
import { directoryCentre, rolloutFile } from './directory-centre.ts';

/** Puts the record if it is newer than the one that is there. Returns whether it did. */
export async function uploadRecord(
  directory: string,
  centre: Centre,
): Promise<Result<boolean, Problem>> {
  const files = [fleetFiles.trust, rolloutFile].map((each) => join(directory, each));
  if (!files.every((each) => existsSync(each))) return ok(false);
  const trust = readTrustFile(files[0] ?? '');
  if (!trust.ok) return trust;
  const own = await lastRecord(directoryCentre(directory), trust.value.trust);
  if (!own.ok) return own;
  const { record, text } = own.value;
  // Without controllers, or by none of them: hosts would refuse it.
  if (record === undefined || text === undefined) return ok(false);
  const there = await lastRecord(centre, trust.value.trust);
  if (!there.ok) return there;
  const known = there.value.record;
  if (known !== undefined && compareRecords(record, known) <= 0) return ok(false);
  const put = await centre.put(text, there.value.sequence);
  return put.ok ? ok(put.value.kind === 'stored') : put;
}
