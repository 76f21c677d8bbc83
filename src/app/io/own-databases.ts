/** The state of tenants' own database servers: as of each application, and since when, and how much memory they take. */
import { readText } from '../../../packages/base/io/read.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { propertiesOfUnits } from '../../host/systemd/systemctl.ts';
import type { OwnDatabase } from '../../policy/databases/own-database.ts';
import type { Policy } from '../../policy/policy.ts';
import { socketPath } from '../core/names.ts';
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
  return ok(
    servers.map((each) => {
      const unit = properties.value.get(each.service);
      return {
        ...shown(each, paths),
        ...since(unit?.get('StateChangeTimestampMonotonic')),
        ...memory(unit?.get('MainPID'), paths),
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

/** Adds up the launcher and its children, of which the server is one. */
function memory(pid: string | undefined, { proc }: Paths): Pick<OwnDatabase, 'memoryBytes'> {
  if (pid === undefined || !/^[1-9]\d*$/.test(pid)) return {};
  const children = readText(`${proc}/${pid}/task/${pid}/children`) ?? '';
  const sizes = [pid, ...children.split(' ')]
    .filter((each) => /^[1-9]\d*$/.test(each))
    .map((each) => proportionalBytes(readText(`${proc}/${each}/smaps_rollup`) ?? ''));
  const known = sizes.filter((each) => each !== undefined);
  return known.length < sizes.length ? {} : { memoryBytes: known.reduce((a, b) => a + b, 0) };
}

function proportionalBytes(rollup: string): number | undefined {
  const kibibytes = /^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
