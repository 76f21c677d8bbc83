/**
 * The life of a policy on this host: plan it, apply it, read it back, take it all away.
 *
 * These functions are the one door to the kernel: the command line calls them in process.
 */
import { mkdirSync } from 'node:fs';
import { describeErrno, errnoOf } from '../sys/errno.ts';
import type { Driver, ExecuteOptions, Failure } from '../host/driver.ts';
import { lockFile } from '../sys/files/flock.ts';
import type { Host } from '../host/host.ts';
import type { Paths } from '../host/paths.ts';
import { planChanges, type Operation, type Plan } from '../plan/plan.ts';
import { cgroupSetup, isInside, parentOf } from '../plan/wanted.ts';
import type { Policy } from '../policy/policy.ts';
import { fail, ok, type Result } from '../base/result.ts';

export interface Applied {
  readonly driver: Driver;
  readonly operations: readonly Operation[];
  readonly failures: readonly Failure[];
}

/** How long one apply waits for another to end. */
const lockMilliseconds = 60_000;
/** Making room changes what the host can do, so it is looked at again; twice is a bug. */
const roundsMax = 3;

export type Progress = (done: number, total: number) => void;

export function planPolicy(policy: Policy, driver: Driver): Plan {
  const wanted = driver.wanted(policy);
  return planChanges(wanted, driver.observe(wanted));
}

/**
 * Makes the host as the policy says. What fails is reported and the rest goes on; applying again
 * does what is left. Only one apply runs at a time on an instance.
 */
export function applyPolicy(
  policy: Policy,
  host: Host,
  options: ExecuteOptions,
  progress?: Progress,
): Result<Applied> {
  const runtime = makeRuntime(host.paths);
  if (!runtime.ok) return runtime;
  const lock = lockFile(`${host.paths.runtime}/lock`, { waitMs: lockMilliseconds });
  if (!lock.ok) return lock;
  try {
    return applyLocked(policy, host, options, progress);
  } finally {
    lock.value.release();
  }
}

function makeRuntime({ runtime }: Paths): Result<void> {
  try {
    mkdirSync(runtime, { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST')
      return fail(`Cannot make ${runtime}: ${describeErrno(errnoOf(error))}`);
  }
  return ok(undefined);
}

function applyLocked(
  policy: Policy,
  host: Host,
  options: ExecuteOptions,
  progress: Progress | undefined,
): Result<Applied> {
  const operations: Operation[] = [];
  for (let round = 1; round <= roundsMax; round++) {
    const driver = host.probe(policy.driver);
    if (!driver.ok) return driver;
    const plan = planPolicy(policy, driver.value);
    const delegation = plan.operations.filter(isDelegation);
    const now = delegation.length > 0 && round < roundsMax ? delegation : plan.operations;
    const failures = executeAll(now, driver.value, options, progress);
    operations.push(...now);
    if (now === delegation && failures.length === 0) continue;
    const published = driver.value.publish(driver.value.wanted(policy));
    return ok({ driver: driver.value, operations, failures: withPublished(failures, published) });
  }
  throw new Error('Making room for tenants never came to an end');
}

/** What has to be there before the host shows what it can do. */
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
    const message = driver.execute(operation, options);
    if (message === undefined) continue;
    failures.push({ operation, message });
    broken.add(operation);
  }
  progress?.(operations.length, operations.length);
  return failures;
}

/** What cannot work after a failure: one cause needs one message. */
class FailedDependencies {
  /** Cgroups that are not there, or whose children get no files. */
  readonly #cgroups = new Set<string>();
  readonly #values = new Set<string>();
  /** Cgroups that could not be removed, for whose parents it goes without saying. */
  readonly #kept: string[] = [];

  add(operation: Operation): void {
    if (operation.kind === 'create') this.#cgroups.add(operation.cgroup);
    if (operation.kind === 'remove') this.#kept.push(operation.cgroup);
    if (operation.kind !== 'write') return;
    if (operation.attribute === cgroupSetup) this.#cgroups.add(operation.cgroup);
    this.#values.add(`${operation.cgroup} ${operation.attribute}`);
  }

  blocks(operation: Operation): boolean {
    if (operation.kind === 'remove') {
      return this.#kept.some((each) => isInside(each, operation.cgroup));
    }
    if (operation.kind !== 'create' && operation.kind !== 'write') return false;
    if (this.#cgroups.size > 0 && this.#isBelow(operation.cgroup)) return true;
    if (operation.kind !== 'write' || operation.needs === undefined) return false;
    return this.#values.has(`${operation.cgroup} ${operation.needs}`);
  }

  #isBelow(cgroup: string): boolean {
    if (this.#cgroups.has(cgroup)) return true;
    return cgroup !== '' && this.#isBelow(parentOf(cgroup));
  }
}

function withPublished(
  failures: readonly Failure[],
  problem: string | undefined,
): readonly Failure[] {
  if (problem === undefined) return failures;
  const operation: Operation = {
    kind: 'prepare',
    id: 'publish',
    summary: 'the files that the launcher reads',
  };
  return [...failures, { operation, message: problem }];
}

/** Takes away every cgroup and quota of this instance. */
export function releaseAll(
  host: Host,
  options: { readonly kill: boolean },
): Result<readonly string[]> {
  const runtime = makeRuntime(host.paths);
  if (!runtime.ok) return runtime;
  const lock = lockFile(`${host.paths.runtime}/lock`, { waitMs: lockMilliseconds });
  if (!lock.ok) return lock;
  try {
    const driver = host.probe();
    if (!driver.ok) return driver;
    return ok(driver.value.release(options));
  } finally {
    lock.value.release();
  }
}
