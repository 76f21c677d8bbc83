/**
 * Plans a policy, applies it, reads it back, and removes everything again.
 *
 * These functions are the only entry point that changes the kernel; the command line calls them in
 * process.
 */
import { mkdirSync, rmdirSync } from 'node:fs';
import { causeOf } from '../../packages/base/io/errno.ts';
import type { Driver, ExecuteOptions, Failure } from '../host/driver.ts';
import { lockFile, type FileLock } from '../sys/files/flock.ts';
import { underLock } from '../sys/files/under-lock.ts';
import { keepNamedAccounts, releaseNamedAccounts } from '../host/accounts/keep-named-accounts.ts';
import { publishEntries, withdrawEntries } from '../host/entry-slots.ts';
import type { Host } from '../host/host.ts';
import type { Paths } from '../host/paths.ts';
import { forgetFormerTenants, releaseSiteLimits } from '../host/keep-site-limits.ts';
import { keepLastPackages } from '../host/keep-last-packages.ts';
import { forgetReport } from '../host/kept-reports.ts';
import type { Operation, RealizeUnit, RemoveCgroup, WriteUnit } from '../plan/operations.ts';
import { planChanges, type Plan } from '../plan/plan.ts';
import { wantedOnHost } from '../plan/wanted-on-host.ts';
import { cgroupSetup, isInside, mainCgroup, parentOf, type Wanted } from '../plan/wanted.ts';
import type { Policy } from '../policy/policy.ts';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';

export interface Applied {
  readonly driver: Driver;
  readonly operations: readonly Operation[];
  readonly failures: readonly Failure[];
}

/** The time that one apply waits for another to finish. */
const lockMilliseconds = 60_000;
/**
 * The number of probes. Setting up the tree changes the host's capabilities, so it is probed again; more than one
 * repetition is a bug.
 */
const roundsMax = 3;

/**
 * Returns the lock to take from the reading of a policy until all of it is in force. An apply that waited for another
 * must not use a text that it read before.
 */
export const policyLock = ({ runtime }: Paths): string => `${runtime}/policy.lock`;

type Progress = (done: number, total: number) => void;

export const planPolicy = (policy: Policy, driver: Driver): Plan =>
  planFor(wantedOnHost(policy, driver.context), driver);

const planFor = (wanted: Wanted, driver: Driver): Plan =>
  planChanges(wanted, driver.observe(wanted));

/**
 * Applies the policy to the host. It reports failures and applies the rest; applying again does the remaining work.
 * Only one apply runs at a time on an instance.
 */
export function applyPolicy(
  policy: Policy,
  host: Host,
  options: ExecuteOptions,
  progress?: Progress,
): Result<Applied, Problem> {
  const lock = lockInstance(host.paths);
  if (!lock.ok) return lock;
  using _lock = lock.value;
  return applyLocked(policy, host, options, progress);
}

function lockInstance({ runtime }: Paths): Result<FileLock, Problem> {
  try {
    mkdirSync(runtime, { mode: 0o755 });
  } catch (error) {
    const cause = causeOf(error);
    if (cause.errno !== 'EEXIST')
      return failed({ action: 'create the directory', object: runtime, ...cause });
  }
  const lock = lockFile(`${runtime}/lock`, { waitMs: lockMilliseconds });
  return lock.ok ? lock : fail(lock.error);
}

function applyLocked(
  policy: Policy,
  host: Host,
  options: ExecuteOptions,
  progress: Progress | undefined,
): Result<Applied, Problem> {
  const operations: Operation[] = [];
  for (let round = 1; round <= roundsMax; round++) {
    const driver = host.probe(policy.driver);
    if (!driver.ok) return driver;
    const wanted = wantedOnHost(policy, driver.value.context);
    const plan = planFor(wanted, driver.value);
    const delegation = plan.operations.filter(isDelegation);
    const now = delegation.length > 0 && round < roundsMax ? delegation : plan.operations;
    const recorded = keepLastPackages(host.paths, policy);
    const failures = executeAll(now, driver.value, options, progress);
    operations.push(...now);
    // The differences that "bulkhead verify" found were corrected, or are others now.
    if (now.length > 0) forgetReport(host.paths, 'verify');
    if (now === delegation && failures.length === 0) continue;
    const published = [
      driver.value.publish(wanted),
      publishEntries(host.paths.runtime, policy),
      forgetFormerTenants(host.paths, policy),
      keepNamedAccounts(host.paths, policy),
      recorded,
    ];
    return ok({ driver: driver.value, operations, failures: withPublished(failures, published) });
  }
  throw new Error(`Setting up the root cgroup did not converge after ${roundsMax} rounds`);
}

/** Whether the operation is required before the host can be probed completely. */
const isDelegation = (operation: Operation) =>
  operation.kind === 'prepare' || (operation.kind === 'create' && operation.cgroup === '');

function executeAll(
  operations: readonly Operation[],
  driver: Driver,
  options: ExecuteOptions,
  progress: Progress | undefined,
): readonly Failure[] {
  const failures: Failure[] = [];
  const broken = new FailedDependencies();
  for (const [index, operation] of operations.entries()) {
    progress?.(index, operations.length);
    if (broken.blocks(operation)) continue;
    const done = driver.execute(operation, options);
    if (done.ok) continue;
    failures.push({ operation, problem: done.error });
    broken.add(operation);
  }
  progress?.(operations.length, operations.length);
  return failures;
}

/** Operations that cannot work after a failure: one cause needs one message. */
class FailedDependencies {
  /** Cgroups that do not exist. */
  readonly #absent = new Set<string>();
  /** Cgroups whose children get no files. */
  readonly #bare = new Set<string>();
  /** Cgroups that still have processes which should have been moved. */
  readonly #occupied = new Set<string>();
  readonly #values = new Set<string>();
  /** Cgroups that could not be removed, so that their parents cannot be either. */
  readonly #kept: string[] = [];
  /** Slices whose settings could not be written or set; `#isStale`: systemd has not read the written ones. */
  readonly #units = new Set<string>();
  /** Their units: another file of such a unit has the only limits that there are. */
  readonly #unitNames = new Set<string>();
  #isStale = false;

  add(operation: Operation): void {
    if (operation.kind === 'create') this.#absent.add(operation.cgroup);
    if (operation.kind === 'move') this.#occupied.add(operation.from);
    if (operation.kind === 'remove') this.#kept.push(operation.cgroup);
    if (operation.kind === 'reload') this.#isStale = true;
    if (operation.kind === 'unit' || operation.kind === 'realize') this.#addUnit(operation);
    if (operation.kind !== 'write') return;
    if (operation.attribute === cgroupSetup) this.#bare.add(operation.cgroup);
    this.#values.add(`${operation.cgroup} ${operation.attribute}`);
  }

  #addUnit({ cgroup, unit }: WriteUnit | RealizeUnit): void {
    this.#units.add(cgroup);
    this.#unitNames.add(unit);
  }

  blocks(operation: Operation): boolean {
    if (operation.kind === 'remove') return this.#blocksRemoval(operation);
    if (operation.kind === 'realize') return this.#isStale || this.#units.has(operation.cgroup);
    // A process that moves into a slice whose limits systemd does not know has no limits there.
    if (operation.kind === 'move') return this.#isStale || this.#units.has(operation.to);
    if (operation.kind !== 'create' && operation.kind !== 'write') return false;
    if (this.#absent.size + this.#bare.size > 0 && this.#isBelow(operation.cgroup)) return true;
    if (operation.kind !== 'write') return false;
    if (operation.attribute === cgroupSetup && this.#isUndivided(operation.cgroup)) return true;
    if (operation.needs === undefined) return false;
    return this.#values.has(`${operation.cgroup} ${operation.needs}`);
  }

  #blocksRemoval({ cgroup, unit }: RemoveCgroup): boolean {
    if (this.#occupied.has(cgroup)) return true;
    if (unit !== undefined && this.#unitNames.has(unit)) return true;
    return this.#kept.some((each) => isInside(each, cgroup));
  }

  #isBelow(cgroup: string): boolean {
    if (this.#absent.has(cgroup)) return true;
    return cgroup !== '' && (this.#bare.has(parentOf(cgroup)) || this.#isBelow(parentOf(cgroup)));
  }

  /** Whether a tenant's processes have no part to be in, or are not there yet. */
  #isUndivided(cgroup: string): boolean {
    return this.#absent.has(mainCgroup(cgroup)) || this.#occupied.has(cgroup);
  }
}

function withPublished(
  failures: readonly Failure[],
  published: readonly Result<void, Problem>[],
): readonly Failure[] {
  const operation: Operation = {
    kind: 'prepare',
    id: 'publish',
    summary: 'the files that belong to the policy in force',
  };
  const more = published.flatMap((each) => (each.ok ? [] : [{ operation, problem: each.error }]));
  return [...failures, ...more];
}

/** Removes every cgroup and quota of this instance. */
export function releaseAll(
  host: Host,
  options: { readonly kill: boolean },
): Result<void, readonly Problem[]> {
  const done = underLock(policyLock(host.paths), () => ok(releaseLocked(host, options)));
  const released = done.ok ? done.value : fail([done.error]);
  if (released.ok) for (const each of [host.paths.runtime, host.paths.state]) removeIfEmpty(each);
  return released;
}

function releaseLocked(
  host: Host,
  options: { readonly kill: boolean },
): Result<void, readonly Problem[]> {
  const lock = lockInstance(host.paths);
  if (!lock.ok) return fail([lock.error]);
  using _lock = lock.value;
  const driver = host.probe();
  if (!driver.ok) return fail([driver.error]);
  const released = driver.value.release(options);
  if (!released.ok) return released;
  withdrawEntries(host.paths.runtime);
  // The next apply needs the last packages of accounts: without them it could lift limits.
  const releases = [releaseSiteLimits, releaseNamedAccounts];
  const forgotten = releases.map((release) => release(host.paths));
  const problems = forgotten.flatMap((each) => (each.ok ? [] : [each.error]));
  return problems.length === 0 ? ok(undefined) : fail(problems);
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // A running agent has its socket there, or there are records of others.
  }
}
