/**
 * The part of `plan`, `apply`, `verify` and `release` for jails. If neither the policy nor the host has jails, it costs
 * no more than a check that a directory exists.
 */
import { existsSync, rmdirSync } from 'node:fs';
import { commandsOf, formatJail } from '../../policy/jail.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { underLockAsync } from '../../sys/files/under-lock.ts';
import {
  addJailed,
  addJailedSites,
  jailedFile,
  jailedSitesFile,
  settleJailed,
  settleJailedSites,
} from '../../host/cgroups/launch-jailed.ts';
import { buildElsewhere, buildMilliseconds } from './build-elsewhere.ts';
import { idOf, keyOf } from '../core/jail-key.ts';
import { enterAction, jailName, type BuildAnswer, type JailTenant } from './build/protocol.ts';
import { findDatabases } from '../../host/databases/find.ts';
import { writeUnmounted } from './databases/unmounted.ts';
import { jailPathsOf } from './jail-paths.ts';
import { jailTenants } from './jail-tenants.ts';
import { announce, readStateFiles } from './state-files.ts';
import { allowUserManagers, withholdUserManagers } from './user-manager.ts';
import { followPolicy, planPrograms, releasePrograms } from './programs.ts';

export const jailPart = {
  plan: (policy: Policy, paths: Paths) => [
    ...planJails(policy, paths),
    ...planPrograms(policy, paths),
  ],
  apply: applyJails,
  follow: followPolicy,
  release: releaseJails,
};

const hasAny = (paths: Paths) => {
  const { base, places } = jailPathsOf(paths);
  const lists = [jailedFile(paths.state), jailedSitesFile(paths.state)];
  return [base, places, ...lists].some((each) => existsSync(each));
};

/**
 * Returns what `apply` would do, a line each. Changes that only the builder sees, such as a home that is mounted anew,
 * are left out.
 */
function planJails(policy: Policy, paths: Paths): readonly string[] {
  const wanted = jailTenants(policy);
  const jailPaths = jailPathsOf(paths);
  if (wanted.length === 0 && !hasAny(paths)) return [];
  const stateFiles = readStateFiles(jailPaths);
  const keys = new Set(wanted.map(keyOf));
  const missing = wanted.flatMap((tenant) => {
    const stateFile = stateFiles.get(keyOf(tenant));
    const { profile, home } = tenant.jail;
    const commands = commandsOf(tenant.jail).join(' ');
    if (stateFile?.state === 'ready' && stateFile.profile === profile && stateFile.home === home) {
      if (stateFile.commands.join(' ') === commands) return [];
      return [
        `let the jail of ${jailName(tenant)} run outside: ${commands === '' ? 'nothing' : commands}`,
      ];
    }
    return [`build the jail of ${jailName(tenant)}: ${formatJail(tenant.jail)}`];
  });
  const others = [...stateFiles.keys()].filter((key) => !keys.has(key)).map(idOf);
  return [
    ...missing,
    ...others.map(({ uid, site }) =>
      site === undefined
        ? `remove the jail of uid ${uid}`
        : `remove the jail of the site ${site} of uid ${uid}`,
    ),
  ];
}

/**
 * Builds jails before the launcher learns of the tenants: no tenant with a jail must ever start outside. It returns
 * `fail` if this cannot be ensured. Any other problem only keeps the tenants concerned from starting.
 */
async function applyJails(
  policy: Policy,
  paths: Paths,
  by: 'command' | 'agent',
): Promise<Result<readonly Problem[], Problem>> {
  const built = await buildJails(policy, paths);
  if (!built.ok) return built;
  const { problems = [], sockets = [] } = built.value ?? {};
  if (by === 'command') return ok([...problems, ...sockets]);
  // The agent's service may not enter namespaces; another service does it.
  return ok(problems.filter((each) => !isRefusal(each)));
}

const isRefusal = ({ action, errno }: Problem) =>
  action === enterAction && (errno === 'EPERM' || errno === 'EACCES');

/**
 * Builds the jails of the policy; the answer is absent if there is nothing to do. Another builder waits: between the
 * list of who has a jail and the state files of jails, it would take a new tenant off the list.
 */
export async function buildJails(
  policy: Policy,
  paths: Paths,
): Promise<Result<BuildAnswer | undefined, Problem>> {
  const tenants = jailTenants(policy);
  if (tenants.length === 0 && !hasAny(paths)) return ok(undefined);
  return whileNoneBuilds(paths, () => buildLocked(tenants, paths));
}

/** Longer than any other build takes: an apply that gave up would set no limits either. */
export const lockMilliseconds = buildMilliseconds + 60_000;

const whileNoneBuilds = <T>(
  { runtime }: Paths,
  act: () => Promise<Result<T, Problem>>,
): Promise<Result<T, Problem>> => underLockAsync(`${runtime}/jails.lock`, act, lockMilliseconds);

async function buildLocked(
  tenants: readonly JailTenant[],
  paths: Paths,
): Promise<Result<BuildAnswer, Problem>> {
  const jailPaths = jailPathsOf(paths);
  for (const listed of [
    addJailed(paths, sessionsOf(tenants)),
    addJailedSites(paths.state, siteKeysOf(tenants)),
  ])
    if (!listed.ok) return fail(listed.error);
  const announced = announce(jailPaths, tenants);
  if (!announced.ok) return fail(announced.error);
  const kind = tenants.length === 0 ? 'release' : 'build';
  const { instance } = paths;
  const done = await buildElsewhere(
    kind === 'build'
      ? { kind, instance, tenants, databases: findDatabases(paths) }
      : { kind, instance },
  );
  const settled = settleTenants(paths, tenants);
  if (done.ok) {
    const managers = settleManagers(paths, kind, done.value);
    const problems = [...done.value.problems, ...managers, ...settled];
    const recorded =
      kind === 'release' || problems.some(isRefusal)
        ? ok(undefined)
        : writeUnmounted(jailPaths, done.value.sockets);
    return ok({
      ...done.value,
      problems: recorded.ok ? problems : [...problems, recorded.error],
    });
  }
  return ok({
    built: [],
    kept: 0,
    dropped: [],
    problems: [done.error, ...settled],
    sockets: [],
    listings: [],
    cost: undefined,
    milliseconds: 0,
  });
}

/**
 * Withholds or allows systemd user managers; does nothing if jails could not be built at all, as in the agent's
 * service.
 */
function settleManagers(
  paths: Paths,
  kind: 'build' | 'release',
  { problems }: BuildAnswer,
): readonly Problem[] {
  if (problems.some(isRefusal)) return [];
  const settled = kind === 'build' ? withholdUserManagers(paths) : allowUserManagers(paths);
  return settled.ok ? [] : [settled.error];
}

/** Settles the lists of jails: a tenant or site that still has a state file has a jail, wanted or not. */
function settleTenants(paths: Paths, tenants: readonly JailTenant[]): readonly Problem[] {
  const kept = new Set<string>(readStateFiles(jailPathsOf(paths)).keys());
  return [
    settleJailed(paths, sessionsOf(tenants), (uid) => kept.has(keyOf({ uid }))),
    settleJailedSites(paths.state, siteKeysOf(tenants), (key) => kept.has(key)),
  ].flatMap((settled) => (settled.ok ? [] : [settled.error]));
}

/** Returns the tenants whose sessions are in a jail. A site has no sessions. */
const sessionsOf = (tenants: readonly JailTenant[]) =>
  tenants
    .filter(({ site }) => site === undefined)
    .map(({ uid, account }) => ({ uid, ...(account && { user: account.user }) }));

const siteKeysOf = (tenants: readonly JailTenant[]) =>
  tenants.filter(({ site }) => site !== undefined).map(keyOf);

async function releaseJails(paths: Paths): Promise<readonly Problem[]> {
  const problems = releasePrograms(paths);
  if (!hasAny(paths)) return problems;
  const released = await whileNoneBuilds(paths, async () => ok(await releaseLocked(paths)));
  removeIfEmpty(paths.runtime);
  return [...problems, ...(released.ok ? released.value : [released.error])];
}

async function releaseLocked(paths: Paths): Promise<readonly Problem[]> {
  const done = await buildElsewhere({ kind: 'release', instance: paths.instance });
  return [
    ...(done.ok
      ? [...done.value.problems, ...settleManagers(paths, 'release', done.value)]
      : [done.error]),
    ...settleTenants(paths, []),
  ];
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // An agent that still runs has its socket there.
  }
}
