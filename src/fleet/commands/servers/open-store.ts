/** Opens what the centre knows, for a command. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { CentreStore } from '../../io/server/centre-store.ts';

export async function openStore(directory: string): Promise<Result<CentreStore, Problem>> {
  if (!existsSync(directory)) return failed(withoutCentre(directory));
  const { becomeOwnerOf } = await import('../../io/server/as-owner.ts');
  const { CentreStore } = await import('../../io/server/centre-store.ts');
  const owner = becomeOwnerOf(directory);
  if (!owner.ok) return owner;
  if (existsSync(join(directory, 'centre.db'))) return ok(new CentreStore(directory));
  const hint = '"bulkhead fleet server run" collects it';
  return failed({
    action: 'show the hosts of',
    object: directory,
    reason: 'no host has told anything yet',
    hint,
  });
}

/** Fleets that hand out files, by Ansible or HTTPS, have no centre. */
const withoutCentre = (directory: string): Problem => ({
  action: 'show the hosts of',
  object: directory,
  reason: 'there is no centre, to which hosts tell how they are: it needs servers of the fleet',
  hint: '"bulkhead fleet server init" begins one',
});
