/** Facts of this host that a split needs: tenants, groups, and who could change a file. */
import type { Paths } from '../../../host/paths.ts';
import { readHostFacts } from '../../../host/accounts/accounts.ts';
import { readGroups } from '../../../host/accounts/groups.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import type { Policy, Tenant } from '../../../policy/policy.ts';
import { poolOfSection, type FpmSection } from '../../core/fpm/dump.ts';
import { fileFinding } from '../../core/fpm/pools.ts';
import type { ServiceTenant, SplitFacts } from '../../core/fpm/service/split.ts';
import { readEntriesRecord } from '../entries/record.ts';
import { pathOwnersReader } from '../path-owners.ts';

export interface HostView extends Omit<
  SplitFacts,
  'isChosen' | 'isPinned' | 'siteOf' | 'unsafeFile'
> {
  readonly tenants: readonly ServiceTenant[];
  /** The same as for a split, and for another build of PHP, whose panel may have an account of its own for it. */
  readonly unsafeFile: (path: string, build?: string) => Cause | undefined;
}

export function readHostView(
  paths: Paths,
  policy: Policy,
  sections: readonly FpmSection[],
  php: string,
): HostView {
  const tenants = serviceTenants(policy.tenants, readEntriesRecord(paths) !== undefined);
  const byUid = new Map(tenants.map((each) => [each.uid, each]));
  const users = sections.map((each) => poolOfSection(each).user);
  const named = users.filter((user) => user !== '' && !/^\d+$/.test(user));
  const { accounts } = readHostFacts(paths, [...new Set(named)]);
  const uids = new Map(accounts.map(({ user, uid }) => [user, uid]));
  const uidOf = (user: string) => (/^\d{1,10}$/.test(user) ? Number(user) : uids.get(user));
  const names = new Map(accounts.map(({ user, uid }) => [uid, user]));
  const ownersOf = pathOwnersReader();
  const nameOf = (uid: number) => names.get(uid) ?? `uid ${uid}`;
  const groups = readGroups(paths);
  return {
    tenants,
    tenantOf: (user) => byUid.get(uidOf(user) ?? -1),
    gidOf: (group) => (/^\d{1,10}$/.test(group) ? Number(group) : groups.get(group)),
    unsafeFile: (path, build = php) =>
      fileFinding(path, { ownersOf, nameOf, isTenant: (uid) => byUid.has(uid) }, build),
    unsafeDirectory(path) {
      const owners = ownersOf(path);
      if (owners === undefined)
        return { reason: `the directory of its socket, ${path}, is not there` };
      const tenant = owners.uids.find((uid) => byUid.has(uid));
      if (tenant !== undefined)
        return {
          reason: `its socket is in a directory of ${nameOf(tenant)}, who can put a link to another tenant's socket in its place`,
          hint: 'listen below /run/php',
        };
      return owners.writableByOthers
        ? { reason: `the directory of its socket, ${path}, can be written by others` }
        : undefined;
    },
  };
}

/** Returns tenants that have an account: a pool has to name its user. */
function serviceTenants(
  tenants: readonly Tenant[],
  entriesAreEnforced: boolean,
): readonly ServiceTenant[] {
  const withGroup = Map.groupBy(tenants, ({ account }) => account?.gid);
  return tenants.flatMap(({ uid, account, values, sites }): readonly ServiceTenant[] => {
    if (account === undefined) return [];
    const { gid, user } = account;
    const hasOwnGroup = withGroup.get(gid)?.length === 1;
    const entries = entriesOf(values);
    // Each service has as many workers as the tenant has entries: more services could give it several times as
    // many.
    const isBounded = entriesAreEnforced || entries.entries === undefined;
    const ofSites = sites
      .filter(({ madeBy }) => madeBy === undefined || isBounded)
      .map(({ name, madeBy, values: own }) => ({
        name,
        ...(madeBy && { madeBy }),
        ...entriesOf(own),
      }));
    return [{ uid, gid, user, hasOwnGroup, ...entries, sites: ofSites }];
  });
}

function entriesOf(values: Tenant['values']): { readonly entries?: number } {
  const entries = values['entries.limit'];
  return typeof entries === 'number' ? { entries } : {};
}
