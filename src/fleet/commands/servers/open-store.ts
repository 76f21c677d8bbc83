/** Opens what the centre knows, for a command. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { CentreStore } from '../../io/server/centre-store.ts';

export async function openStore(directory: string): Promise<Result<CentreStore, Problem>> {
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
