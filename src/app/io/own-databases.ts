/** The state of tenants' own database servers: as of each application, and since when, and how much memory they take. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { propertiesOfUnits } from '../../host/systemd/systemctl.ts';
import type { OwnDatabase } from '../../policy/databases/own-database.ts';
import type { Policy } from '../../policy/policy.ts';
import { socketPath } from '../core/names.ts';
import { memoryOf } from './process-memory.ts';
import { readApps, type SeenApp } from './states.ts';

export const hasOwnDatabases = ({ tenants }: Pick<Policy, 'tenants'>): boolean =>
  tenants.some(({ apps }) => apps?.some(({ isDatabase }) => isDatabase === true));

export async function readOwnDatabases(
  paths: Paths,
  policy: Policy,
): Promise<Result<readonly OwnDatabase[], Problem>> {
  if (!hasOwnDatabases(policy)) return ok([]);
  const seen = await readApps(policy, paths);
  if (!seen.ok) return seen;
  const servers = seen.value.apps.filter(({ app }) => app.isDatabase === true);
  const known = servers.filter(({ state }) => state !== 'unknown').map(({ service }) => service);
  const properties = await propertiesOfUnits(known, ['StateChangeTimestampMonotonic', 'MainPID']);
  if (!properties.ok) return properties;
  const mainOf = (service: string) => properties.value.get(service)?.get('MainPID') ?? '';
  const memory = await memoryOf(known.map(mainOf), paths);
  return ok(
    servers.map((each) => {
      const unit = properties.value.get(each.service);
      const memoryBytes = memory.get(mainOf(each.service));
      return {
        ...shown(each, paths),
        ...since(unit?.get('StateChangeTimestampMonotonic')),
        ...(memoryBytes !== undefined && { memoryBytes }),
      };
    }),
  );
}

const shown = ({ id, owner, app, state, reason }: SeenApp, { instance }: Paths): OwnDatabase => ({
  tenant: owner.user,
  uid: id.uid,
  socket: socketPath(instance, id.uid, app),
  state,
  ...(reason !== undefined && { reason }),
});

/** Takes microseconds of the monotonic clock; 0 for a unit that has not changed since the host started. */
function since(microseconds: string | undefined): Pick<OwnDatabase, 'since'> {
  const at = Number(microseconds ?? 0);
  if (!Number.isFinite(at) || at <= 0) return {};
  const ago = Number(process.hrtime.bigint() / 1000n) - at;
  return { since: Math.round(Date.now() - ago / 1000) };
}
