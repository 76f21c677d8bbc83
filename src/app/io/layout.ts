/** The paths of everything that belongs to applications, apart from sockets. Root owns all of it. */
import { existsSync, readFileSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { namesIn, readText } from '../../../packages/base/io/read.ts';
import { markHomes } from '../../host/accounts/homes.ts';
import { readUidRange } from '../../host/accounts/accounts.ts';
import { readGroups } from '../../host/accounts/groups.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import { runningWebGroups } from '../../host/servers/web-groups.ts';
import { sliceFilePath } from '../../host/systemd/slice-files.ts';
import { systemdVersion } from '../../host/systemd/systemctl.ts';
import { webGroups } from '../../layouts/layouts.ts';
import { entryFile, packageFile } from '../../sys/package-files.ts';
import type { Account } from '../../policy/policy.ts';
import { withoutComments } from '../core/database-server.ts';
import { parseUnitName } from '../core/names.ts';
import type { AppSetting } from '../core/units.ts';
import type { Homes } from './own-apps.ts';

export interface AppPaths {
  readonly instance: string;
  /** The directory of the units. */
  readonly units: string;
  /** The list of disabled applications. */
  readonly disabled: string;
  readonly lock: string;
}

export interface AppLayout extends AppPaths, AppSetting {
  /** Whether a running web server is in the group of sockets; undefined if that is not known. */
  readonly webServes?: boolean;
  /** Returns the marks of homes, by which own applications of a former owner of a uid are left out. */
  readonly homesOf: (accounts: readonly Account[]) => Homes;
}

/** The version from which systemd has PollLimitBurst=. */
const pollLimitSince = 255;

export const appPaths = ({ instance, etc, runtime }: Paths): AppPaths => ({
  instance,
  units: `${etc}/systemd/system`,
  disabled: `${etc}/${instance}/app/disabled`,
  lock: `${runtime}/app.lock`,
});

/**
 * Returns the layout. The agent knows homes, and opens none itself. It keeps the group that sockets have: a web server
 * that does not run for a while changes nothing.
 */
export async function appLayoutOf(
  paths: Paths,
  homes?: Homes,
): Promise<Result<AppLayout, Problem>> {
  if (!runsSystemd()) return ok(appLayout(paths, false, homes));
  const version = await systemdVersion();
  if (version === undefined)
    return failed({
      action: 'read the version of systemd',
      reason: 'systemctl did not print it',
      hint: 'see: systemctl --version; units of applications stay as they are',
    });
  return ok(appLayout(paths, version >= pollLimitSince, homes));
}

export function appLayout(paths: Paths, hasPollLimit: boolean, homes?: Homes): AppLayout {
  const own = appPaths(paths);
  return {
    ...own,
    state: paths.state,
    hasPollLimit,
    hasSlice: (owner) => existsSync(sliceFilePath(paths, owner)),
    launcher: entryFile('bulkhead-exec'),
    databaseScript: withoutComments(readFileSync(packageFile('libexec/bulkhead-mariadb'), 'utf8')),
    homesOf: (accounts) => homes ?? new Map(markHomes(accounts, paths)),
    ...webGroupOf(paths, own.units, homes !== undefined),
  };
}

/**
 * Returns the group of the web server that runs, the one that sockets have already, or a known one; nobody but root can
 * connect if there is none.
 */
function webGroupOf(
  paths: Paths,
  units: string,
  isAgent: boolean,
): Pick<AppLayout, 'webGroup' | 'webServes'> {
  const groups = readGroups(paths);
  const installed = installedGroup(paths, units);
  const isThere = installed !== undefined && groups.has(installed);
  if (isThere && isAgent) return { webGroup: installed };
  const running = runningWebGroups(paths.proc, readUidRange(paths).first);
  const serves = (name: string) => running.all.has(groups.get(name) ?? 0);
  const nameOf = (gid: number) => [...groups].find(([, each]) => each === gid)?.[0] ?? [];
  const known = [
    ...(isThere && serves(installed) ? [installed] : []),
    ...running.main.flatMap(nameOf),
    ...(isThere ? [installed] : []),
    ...webGroups.filter((each) => groups.has(each)),
  ];
  const webGroup = known[0] ?? 'root';
  return { webGroup, ...(running.main.length > 0 && { webServes: serves(webGroup) }) };
}

/** Sockets of database servers are for no web server, and have root's group. */
function installedGroup({ instance }: Paths, units: string): string | undefined {
  for (const name of namesIn(units)) {
    if (parseUnitName(instance, name)?.type !== 'socket') continue;
    const text = readText(`${units}/${name}`) ?? '';
    const group = /^SocketGroup=(\S+)$/m.exec(text)?.[1];
    if (group !== undefined && group !== 'root') return group;
  }
  return undefined;
}
