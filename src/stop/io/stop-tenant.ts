/**
 * Stops a tenant, and starts it again. The record is written first, so that nothing of the tenant starts meanwhile.
 * After an interruption the same command completes the rest.
 */
import { renameSync, rmSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Driver } from '../../host/driver.ts';
import { includesOthers } from '../../host/kill-processes.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { parseStop, readStop, stopDirectory, stopFile, type Stop } from '../../host/stops.ts';
import { tenantCgroup } from '../../plan/wanted.ts';
import type { Tenant } from '../../policy/policy.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { ensurePrivateDirectory } from '../../sys/files/private-file.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { canFreeze, killTenant, setFrozen, thaw, type Killed } from './kill-tenant.ts';
import {
  forgetFailures,
  isSocket,
  keepOut,
  letIn,
  startUnits,
  stopUnits,
  unitsOf,
} from './tenant-units.ts';

export interface StopRequest {
  readonly driver: Driver;
  readonly paths: Paths;
  readonly tenant: Tenant;
  /** Returns its processes in other cgroups. */
  readonly outside: () => readonly number[];
  readonly stop: Omit<Stop, 'units'>;
}

export interface StoppedTenant extends Killed {
  /** The systemd units that were stopped. */
  readonly units: readonly string[];
  /** The steps that failed; the tenant is stopped despite them. */
  readonly problems: readonly Problem[];
}

export async function stopTenant(request: StopRequest): Promise<Result<StoppedTenant, Problem>> {
  const { driver, paths, tenant } = request;
  const { frozen, uid } = request.stop;
  const blocker = frozen ? freezeObstacle(driver, tenantCgroup(tenant)) : undefined;
  if (blocker !== undefined) return failed(blocker);
  const earlier = readStop(paths, uid)?.units ?? [];
  // The agent ends what it has as soon as the record is there.
  const before = driver.processes(tenantCgroup(tenant));
  // The record is written at once: systemd may take long to list the units.
  const written = write(paths, { ...request.stop, units: earlier });
  if (!written.ok) return written;
  const problems: Problem[] = [];
  const note = (result: Result<unknown, Problem>) => {
    if (!result.ok) problems.push(result.error);
  };
  // A bomb does not wait for it either.
  const first = endProcesses(request, before);
  const found = await unitsOf(request.stop, paths);
  note(found);
  const units = [...new Set([...earlier, ...(found.ok ? found.value : [])])];
  const stop = { ...request.stop, units };
  note(write(paths, stop));
  note(await keepOut(stop, paths));
  note(await stopUnits(units.filter(isSocket)));
  if (!frozen) note(await stopUnits(units.filter((each) => !isSocket(each))));
  const last = endProcesses(request);
  if (!frozen) await forgetFailures(units);
  return ok({ ...last, killed: first.killed + last.killed, units, problems });
}

function endProcesses(
  { driver, tenant, outside, stop }: StopRequest,
  before: readonly number[] = [],
): Killed {
  const cgroup = tenantCgroup(tenant);
  if (!stop.frozen) {
    // Processes that an earlier stop froze die all the same.
    const ended = killTenant(driver, tenant, outside, before);
    setFrozen(driver, cgroup, false);
    return ended;
  }
  setFrozen(driver, cgroup, true);
  return { killed: 0, left: [], others: [] };
}

function freezeObstacle(driver: Driver, cgroup: string): Problem | undefined {
  const action = 'freeze the processes of';
  if (!canFreeze(driver)) {
    const reason = 'that needs cgroup v2';
    return { action, object: cgroup, reason, hint: 'stop it without --freeze, which ends them' };
  }
  if (!includesOthers(driver.processes(cgroup), driver.ownerOf(cgroup))) return undefined;
  const reason = 'processes of other accounts are in its cgroup, and would be frozen as well';
  return { action, object: cgroup, reason, hint: 'stop it without --freeze, which spares those' };
}

function write(paths: Paths, stop: Stop): Result<void, Problem> {
  const ensured = ensurePrivateDirectory(stopDirectory(paths));
  return ensured.ok
    ? replaceFile(stopFile(paths, stop.uid), `${JSON.stringify(stop)}\n`, 0o600)
    : ensured;
}

/**
 * Returns the record of a tenant that is being started: it stops nobody, and lists the units that are still to be
 * started.
 */
const startingFile = (paths: Paths, uid: number) => `${stopFile(paths, uid)}.starting`;

/** Starts a tenant; returns the record that stopped it, undefined if there was none. */
export async function startTenant(
  paths: Paths,
  uid: number,
  letGo: () => void,
): Promise<{ readonly stop: Stop | undefined; readonly problems: readonly Problem[] }> {
  const stop = readStop(paths, uid) ?? interrupted(paths, uid);
  if (stop === undefined) return { stop, problems: [] };
  const problems: Problem[] = [];
  try {
    if (readStop(paths, uid) !== undefined)
      renameSync(stopFile(paths, uid), startingFile(paths, uid));
  } catch (error) {
    const object = stopFile(paths, uid);
    return { stop, problems: [{ action: 'remove', object, ...causeOf(error) }] };
  }
  letGo();
  for (const step of [() => letIn(stop, paths), () => startUnits(stop, paths)]) {
    const done = await step();
    if (!done.ok) problems.push(done.error);
  }
  if (problems.length === 0) rmSync(startingFile(paths, uid), { force: true });
  return { stop, problems };
}

function interrupted(paths: Paths, uid: number): Stop | undefined {
  const text = readText(startingFile(paths, uid));
  return text === undefined ? undefined : parseStop(uid, text);
}

/** Forgets the stop of a former tenant and starts nothing; frozen processes go on. */
export async function forgetStop(paths: Paths, stop: Stop): Promise<Result<void, Problem>> {
  const driver = stop.frozen ? probeDriver(paths) : undefined;
  using _driver = driver?.ok === true ? driver.value : undefined;
  rmSync(stopFile(paths, stop.uid), { force: true });
  const letting = await letIn(stop, paths);
  if (driver?.ok === false) return driver;
  if (driver !== undefined) thaw(driver.value, stop.uid);
  return letting;
}
