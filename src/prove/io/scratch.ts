/**
 * The scratch tenants of a run: uids of nobody, in a separate instance with its own homes. Their limits are applied
 * like every policy. Everything is removed when the run is over, or by the next one.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { applyPolicy, releaseAll } from '../../apply/apply.ts';
import type { PolicyCapability } from '../../apply/capability.ts';
import { applyParts, enforceParts, followParts, releaseParts } from '../../apply/parts.ts';
import { causedBy, failed, type Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { readUidRange } from '../../host/accounts/accounts.ts';
import type { Driver } from '../../host/driver.ts';
import { linuxHost } from '../../host/host.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import type { DriverName } from '../../policy/document.ts';
import { parsePolicy } from '../../policy/parse.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import type { Policy } from '../../policy/policy.ts';
import { resolvePolicy } from '../../policy/resolve.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { signalUid } from '../../sys/processes/uid-signal.ts';
import { roles, type ScratchLimits, type Stage } from '../core/attack.ts';
import { jailProfileOf, scratchPolicy } from '../core/scratch-policy.ts';
import type { ScratchNetwork } from '../core/scratch-network.ts';
import { idsIn } from '../core/uids.ts';
import { findFreeUids, type PolicyInForce } from './free-uids.ts';
import { makeFiles, removeScratchFiles, scratchRoot, type StageFiles } from './scratch-files.ts';
import { recordFile, scratchPaths, type ScratchRecord } from './scratch-paths.ts';

export interface ProveScratch extends StageFiles {
  readonly paths: Paths;
  readonly driver: Driver;
  /** Rules that could not be put in force, so that attacks get through. */
  readonly problems: readonly Problem[];
  readonly uids: Stage['uids'];
  readonly jailed: boolean;
  readonly landlocked: boolean;
}

export interface ScratchOptions {
  readonly capabilities: readonly PolicyCapability[];
  readonly inForce: PolicyInForce | undefined;
  readonly limits: ScratchLimits;
  readonly network: ScratchNetwork;
  /** The uid from which to search; default: `firstUid`. */
  readonly uidsFrom: number | undefined;
}

export async function makeProveScratch(
  inForcePaths: Paths,
  options: ScratchOptions,
): Promise<Result<ProveScratch, Problem>> {
  const { inForce, uidsFrom } = options;
  const paths = scratchPaths(inForcePaths);
  const root = scratchRoot(inForcePaths, inForce?.policy);
  const first = findFreeUids(inForcePaths, inForce, roles.length + 1, uidsFrom);
  if (!first.ok) return first;
  const [attacker, neighbour, control, server] = [0, 1, 2, 3].map((each) => first.value + each) as [
    number,
    number,
    number,
    number,
  ];
  const uids = { attacker, neighbour, control, server };
  const recorded = writeRecord(paths, { root, uids: Object.values(uids) });
  if (!recorded.ok) return recorded;
  // After a reboot there is no record of the files that a killed run made here.
  const cleared = removeScratchFiles(root);
  if (!cleared.ok) return cleared;
  const files = makeFiles(root, uids);
  if (!files.ok) return files;
  const applied = await applyScratch(options, paths, uids, files.value);
  const jailed = inForce !== undefined && jailProfileOf(inForce.policy) !== undefined;
  if (!applied.ok) return applied;
  const stateFile = readText(`${paths.runtime}/jail/tenants/${uids.neighbour}`) ?? '';
  const landlocked = /^landlock yes$/m.test(stateFile);
  return ok({ ...files.value, paths, uids, jailed, landlocked, ...applied.value });
}

function writeRecord(paths: Paths, record: ScratchRecord): Result<void, Problem> {
  try {
    mkdirSync(paths.runtime, { mode: 0o755, recursive: true });
  } catch (error) {
    return failed({ action: 'create the directory', object: paths.runtime, ...causeOf(error) });
  }
  return replaceFile(recordFile(paths), `${JSON.stringify(record)}\n`);
}

/**
 * Chooses the driver. A systemd slice ends with its last process, and its counters with it: the tree of `cgroup2` keeps
 * them.
 */
function driverFor(paths: Paths, inForce: Policy | undefined): DriverName | undefined {
  const probed = probeDriver(paths, inForce?.driver);
  if (!probed.ok) return undefined;
  const { driver } = probed.value.capabilities;
  return driver === 'systemd' ? 'cgroup2' : driver;
}

async function applyScratch(
  { capabilities, inForce: host, limits, network }: ScratchOptions,
  paths: Paths,
  uids: Stage['uids'],
  { homes }: StageFiles,
): Promise<Result<Pick<ProveScratch, 'driver' | 'problems'>, Problem>> {
  const inForce = host?.policy;
  const text = scratchPolicy(uids, limits, {
    driver: driverFor(paths, inForce),
    jail: inForce && jailProfileOf(inForce),
    strict: inForce?.strict?.placement === 'on',
    network,
  });
  // These accounts exist only in this run: quotas are for the file system of a home.
  const accounts = roles.map((role) => {
    const uid = uids[role];
    return { user: `${paths.instance}-${role}`, uid, gid: uid, home: homes[role] };
  });
  const policy = resolvePolicy(parse(text), { accounts, uidMin: readUidRange(paths).first });
  const cannot = (problem: Problem) =>
    failed({ action: 'apply the scratch policy', ...causedBy(problem) });
  const parts = await applyParts(capabilities, policy, paths, 'command');
  if (!parts.ok) return cannot(parts.error);
  const [unbuilt] = parts.value;
  if (unbuilt !== undefined) return cannot(unbuilt);
  const applied = applyPolicy(policy, linuxHost(paths), { kill: true, force: true });
  if (!applied.ok) return applied;
  const [failure] = applied.value.failures;
  if (failure !== undefined) return cannot(failure.problem);
  // Attacks that get through show what this kernel cannot enforce.
  await followParts(capabilities, policy, paths);
  const problems = await enforceParts(capabilities, policy, paths);
  return ok({ driver: applied.value.driver, problems });
}

function parse(text: string): PolicyDocument {
  const { document } = parsePolicy('the scratch policy', text);
  if (document === undefined || document.diagnostics.failed)
    throw new Error(`The scratch policy is wrong:\n${text}`);
  return document;
}

/** An empty policy, with which the kernel releases all tenants. */
const emptyPolicy = '<bulkhead version="1"/>';

/** Removes everything that a run made, by its own record, even if that run was killed. */
export async function removeProveScratch(
  capabilities: readonly PolicyCapability[],
  inForcePaths: Paths,
): Promise<Result<void, Problem>> {
  const paths = scratchPaths(inForcePaths);
  const record = readRecord(paths);
  for (const uid of record?.uids ?? []) killNobodys(uid, paths);
  const nobody = resolvePolicy(parse(emptyPolicy), {
    accounts: [],
    uidMin: readUidRange(paths).first,
  });
  const [problem] = await followParts(capabilities, nobody, paths);
  if (problem !== undefined) return fail(problem);
  const released = releaseAll(linuxHost(paths), { kill: true });
  if (!released.ok) {
    const [problem] = released.error;
    return problem === undefined ? ok(undefined) : fail(problem);
  }
  const [kept] = await releaseParts(capabilities, paths);
  if (kept !== undefined) return fail(kept);
  const removed = record === undefined ? ok(undefined) : removeScratchFiles(record.root);
  if (!removed.ok) return removed;
  for (const directory of [paths.runtime, paths.state])
    rmSync(directory, { recursive: true, force: true });
  return ok(undefined);
}

function readRecord(paths: Paths): ScratchRecord | undefined {
  try {
    return JSON.parse(readText(recordFile(paths)) ?? '') as ScratchRecord;
  } catch {
    return undefined;
  }
}

/** Kills the processes of a uid, unless an account has got that uid since a run was killed. */
function killNobodys(uid: number, { etc }: Paths): void {
  const ids = idsIn(readText(`${etc}/passwd`) ?? '');
  if (uid > 0 && !ids.some(({ first }) => first === uid)) signalUid(uid, 'SIGKILL');
}

export const coresHere = (): number => availableParallelism();
