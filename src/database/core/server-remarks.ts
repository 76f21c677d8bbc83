/** Remarks of `check` and `doctor` on a policy with limits on database servers. */
import { count } from '../../../packages/base/list.ts';
import { defaultDatabases } from '../../policy/databases/database-settings.ts';
import type { Policy } from '../../policy/policy.ts';
import { databaseLimits } from './database-limits.ts';

/** Returns the remarks; none if no tenant has such a limit, since no server is asked anything then. */
export function serverRemarks(policy: Policy, found: readonly unknown[]): readonly string[] {
  const limits = [...databaseLimits(policy).values()];
  if (limits.length === 0) return [];
  const { servers, hold } = policy.databases ?? defaultDatabases;
  const tenants = `${count(limits.length, 'tenant')} with <database> limits`;
  if (found.length === 0 && servers.length === 0)
    return [
      `Nothing enforces the limits of ${tenants}: no database server is found; name one: <databases><server kind="mariadb" socket="…"/></databases>`,
    ];
  const held = limits.filter(({ cpu }) => cpu !== undefined).length;
  return hold === 'watch' && held > 0
    ? [
        `The database CPU limit of ${count(held, 'tenant')} is only watched: use above it is reported, and nobody is paused; to pause: <databases hold="on">`,
      ]
    : [];
}
