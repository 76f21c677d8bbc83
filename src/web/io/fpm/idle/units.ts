/** Lists systemd units in one state over the system bus. */
import type { Problem } from '../../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../../packages/base/result.ts';
import { manager } from '../../../../host/systemd/manager.ts';
import type { Bus } from '../../../../sys/dbus/bus.ts';
import type { Value } from '../../../../sys/dbus/value.ts';

interface ListedUnit {
  readonly unit: string;
  readonly path: string;
}

export async function listUnits(
  bus: Bus,
  pattern: string,
  state: 'active' | 'failed' = 'active',
): Promise<Result<readonly ListedUnit[], Problem>> {
  const listed = await bus.call({
    ...manager,
    member: 'ListUnitsByPatterns',
    signature: 'asas',
    body: [[state], [pattern]],
    returns: 'a(ssssssouso)',
  });
  if (!listed.ok) return listed;
  const [units] = listed.value as readonly (readonly (readonly Value[])[])[];
  return ok(
    (units ?? []).map((fields) => {
      const [unit, , , , , , path] = fields as readonly string[];
      return { unit: unit ?? '', path: path ?? '' };
    }),
  );
}
