/**
 * The kernel's part of jails: BPF programs that isolate jails and the host from each other. Loads them, reads their
 * state, and removes them.
 */
import { existsSync, readlinkSync } from 'node:fs';
import { formatCause, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { BpfGuard } from '../../sys/bpf/bpf-guard.ts';
import { lsmProblem } from '../../sys/bpf/lsm.ts';
import { idOf } from '../core/jail-key.ts';
import {
  programMapEntries,
  isJailed,
  jailSelfTestEntry,
  uidsMax,
  type JailedTenants,
} from '../core/program-maps.ts';
import { refusalKinds, type RefusalKind } from '../core/refusal.ts';
import { makeBrokerDirectory } from './broker-directory.ts';
import { jailPathsOf } from './jail-paths.ts';
import { jailTenants } from './jail-tenants.ts';
import { findLandlock, openWithLandlock } from './landlock.ts';
import { readStateFiles } from './state-files.ts';
import { jailSelfTestProblem, jailSelfTestUid } from './self-test.ts';

/** The program that needs Linux 6.1; before, the seccomp filter refuses user namespaces in jails. */
const namespaceProgram = 'jail_userns';

export const jailGuard = (paths: Paths): BpfGuard<JailedTenants> =>
  new BpfGuard<JailedTenants>(
    {
      name: 'jail',
      action: () => 'keep jails and the host apart',
      optional: [namespaceProgram],
      tooLarge: ({ uids }) => tooMany(uids),
      entries: programMapEntries,
      selfTest: (_tenants, generation) => ({
        entries: [jailSelfTestEntry(jailSelfTestUid(generation))],
        run: () => jailSelfTestProblem(jailSelfTestUid(generation)),
      }),
      testsAgain: true,
    },
    paths,
  );

export interface ProgramsState {
  readonly generation: string;
  /** The uids that they confine, in ascending order. */
  readonly uids: readonly number[];
  /** The uids among them that start no programs outside. */
  readonly jailed: readonly number[];
  /** Whether user namespaces are refused, too. */
  readonly userNamespaces: boolean;
  /** The counts of refusals since the programs were loaded. */
  readonly refused: Readonly<Record<RefusalKind, number>>;
}

/** Loads or unloads them as the policy wants. Returns whether anything was changed. */
function reconcilePrograms(policy: Policy, paths: Paths): Result<boolean, Problem> {
  const restricted = restrictedTenants(policy);
  if (restricted.uids.length === 0) return jailGuard(paths).unload();
  const tenants = jailedTenants(restricted, paths);
  return tenants.ok ? jailGuard(paths).load(tenants.value) : tenants;
}

type Restricted = Pick<JailedTenants, 'uids' | 'onlySites'>;

function restrictedTenants(policy: Policy): Restricted {
  const jails = jailTenants(policy);
  const jailed = new Set(jails.flatMap(({ uid, site }) => (site === undefined ? [uid] : [])));
  const uids = uidsOf(jails).toSorted((a, b) => a - b);
  return { uids, onlySites: new Set(uids.filter((uid) => !jailed.has(uid))) };
}

/** Returns the uids to confine, in ascending order. They include tenants for whom only a site has a jail. */
export const restrictedUids = (policy: Policy): readonly number[] => restrictedTenants(policy).uids;

export const uidsOf = (jails: readonly { readonly uid: number }[]): readonly number[] => [
  ...new Set(jails.map(({ uid }) => uid)),
];

function jailedTenants(restricted: Restricted, paths: Paths): Result<JailedTenants, Problem> {
  const programs = makeBrokerDirectory(paths);
  if (!programs.ok) return programs;
  return ok({
    ...restricted,
    host: hostNamespace(),
    programs: programs.value,
  });
}

function tooMany(uids: readonly number[]): Cause | undefined {
  if (uids.length <= uidsMax) return undefined;
  return { reason: `${uids.length} tenants are more than the ${uidsMax} that they can hold` };
}

/** Returns the number of process 1's namespace: `mnt:[4026531841]`. */
const hostNamespace = (): number =>
  Number(/\d+/.exec(readlinkSync('/proc/1/ns/mnt'))?.[0] ?? Number.NaN);

/** Returns the state in force; undefined if no programs are. A self-test shows whether they refuse. */
export const programsState = (paths: Paths): ProgramsState | undefined =>
  jailGuard(paths).withMaps(
    ['tenants', 'counters'],
    ({ tenants, counters }, generation, directory) => {
      const keys = tenants.keys(4, uidsMax + 1);
      const jailed = keys.filter((key) => isJailed(tenants.get(key, 4) ?? Buffer.alloc(0)));
      const own = jailSelfTestUid(generation);
      const numbers = (of: readonly Buffer[]) =>
        of
          .map((key) => key.readUInt32LE())
          .filter((uid) => uid !== own)
          .toSorted((a, b) => a - b);
      const refused = refusalKinds.map((kind, index) => [kind, counters.sum(index)] as const);
      return {
        generation,
        uids: numbers(keys),
        jailed: numbers(jailed),
        userNamespaces: existsSync(`${directory}/link_${namespaceProgram}`),
        refused: Object.fromEntries(refused) as ProgramsState['refused'],
      };
    },
  );

export interface Isolation {
  readonly level: 'full' | 'partial' | 'none';
  readonly reason: string | undefined;
}

const none = (reason: string): Isolation => ({ level: 'none', reason });

/** Returns how well jails of these uids are isolated now. Programs in force get a self-test, too. */
export function isolationOf(uids: readonly number[], paths: Paths): Isolation {
  const blocker = lsmProblem(paths);
  if (blocker !== undefined) return isolationByLandlock(uids, paths, formatCause(blocker));
  const now = programsState(paths);
  if (now === undefined) return none('the programs are not loaded; run: bulkhead apply');
  const problem = jailSelfTestProblem(jailSelfTestUid(now.generation));
  if (problem !== undefined) return none(formatCause(problem));
  const missing = uids.filter((uid) => !now.uids.includes(uid));
  if (missing.length > 0)
    return {
      level: 'partial',
      reason: `uid ${missing[0]} is not restricted yet; run: bulkhead apply`,
    };
  if (now.userNamespaces) return { level: 'full', reason: undefined };
  const reason = 'this kernel asks about no user namespaces (Linux 6.1 does)';
  return { level: 'partial', reason };
}

/** Returns the isolation that is left if the programs cannot be loaded, for the reason `why`. */
function isolationByLandlock(uids: readonly number[], paths: Paths, why: string): Isolation {
  const landlock = findLandlock();
  if (!landlock.ok) return none(`${why}; ${formatCause(landlock.error)}`);
  const stateFiles = [...readStateFiles(jailPathsOf(paths))];
  const uidsWhere = (is: boolean) =>
    new Set(
      stateFiles.flatMap(([key, stateFile]) => (stateFile.landlock === is ? [idOf(key).uid] : [])),
    );
  const [under, not] = [uidsWhere(true), uidsWhere(false)];
  const missing = uids.filter((uid) => !under.has(uid) || not.has(uid));
  if (missing.length > 0)
    return none(`${why}; uid ${missing[0]} is not under Landlock yet; run: bulkhead apply`);
  const open = openWithLandlock(landlock.value);
  return { level: 'partial', reason: `${why}; Landlock holds what is inside, but ${open}` };
}

/** The text for people that lists what stays possible without full isolation. */
export const openWithoutPrograms =
  'a process of the same uid outside the jail can see into it, and one inside can get out through it; abstract sockets of others, and files and directories that are passed in, can be reached; programs that a daemon starts as the tenant, such as a mail server for a .forward, run outside';

/** Returns what `apply` would do about the programs. */
export function planPrograms(policy: Policy, paths: Paths): readonly string[] {
  const { uids, onlySites } = restrictedTenants(policy);
  const now = programsState(paths);
  if (uids.length === 0)
    return now === undefined ? [] : ['take out the BPF programs that keep jails apart'];
  if (lsmProblem(paths) !== undefined) return [];
  const jailed = uids.filter((uid) => !onlySites.has(uid));
  if (now?.uids.join() === uids.join() && now.jailed.join() === jailed.join()) return [];
  return [`keep jails and the host apart by BPF programs, for ${uids.length} of the tenants`];
}

/**
 * Brings the programs up to date after the limits of a policy have been applied. If this kernel cannot load them,
 * `doctor` and `jail status` report it.
 */
export function followPolicy(policy: Policy, paths: Paths): Problem | undefined {
  if (restrictedUids(policy).length > 0 && lsmProblem(paths) !== undefined) return undefined;
  const done = reconcilePrograms(policy, paths);
  return done.ok ? undefined : done.error;
}

/** Unloads them, when everything else of a policy is released. */
export function releasePrograms(paths: Paths): readonly Problem[] {
  const done = jailGuard(paths).unload();
  return done.ok ? [] : [done.error];
}
