/**
 * The life of a policy on this host: plan it, apply it, read it back, take it all away.
 *
 * These functions are the one door to the kernel: the command line calls them in process.
 */
import { mkdirSync } from 'node:fs';
import { describeErrno, errnoOf } from '../host/errno.ts';
import type { Driver, ExecuteOptions, Failure } from '../host/driver.ts';
import { lockFile } from '../host/flock.ts';
import type { Host } from '../host/host.ts';
import type { Paths } from '../host/paths.ts';
import { planChanges, type Operation, type Plan } from '../plan/plan.ts';
import { groupSetup, isInside, parentOf } from '../plan/wanted.ts';
import type { Policy } from '../policy/policy.ts';
import { fail, ok, type Result } from '../units/result.ts';

export interface Applied {
  readonly driver: Driver;
  readonly operations: readonly Operation[];
  readonly failures: readonly Failure[];
}

/** How long one apply waits for another to end. */
const lockMilliseconds = 60_000;
/** Making room changes what the host can do, so it is looked at again; twice is a bug. */
const mostRounds = 3;

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
  for (let round = 1; round <= mostRounds; round++) {
    const driver = host.probe(policy.driver);
    if (!driver.ok) return driver;
    const plan = planPolicy(policy, driver.value);
    const room = plan.operations.filter(makesRoom);
    const now = room.length > 0 && round < mostRounds ? room : plan.operations;
    const failures = executeAll(now, driver.value, options, progress);
    operations.push(...now);
    if (now === room && failures.length === 0) continue;
    const published = driver.value.publish(driver.value.wanted(policy));
    return ok({ driver: driver.value, operations, failures: withPublished(failures, published) });
  }
  throw new Error('Making room for tenants never came to an end');
}

/** What has to be there before the host shows what it can do. */
const makesRoom = (operation: Operation) =>
  operation.kind === 'prepare' || (operation.kind === 'create' && operation.group === '');

function executeAll(
  operations: readonly Operation[],
  driver: Driver,
  options: ExecuteOptions,
  progress: Progress | undefined,
): readonly Failure[] {
  const failures: Failure[] = [];
  const broken = new Broken();
  for (const [index, operation] of operations.entries()) {
    progress?.(index, operations.length);
    if (broken.stops(operation)) continue;
    const message = driver.execute(operation, options);
    if (message === undefined) continue;
    failures.push({ operation, message });
    broken.add(operation);
  }
  progress?.(operations.length, operations.length);
  return failures;
}

/** What cannot work after a failure: one cause needs one message. */
class Broken {
  /** Groups that are not there, or whose children get no files. */
  readonly #groups = new Set<string>();
  readonly #values = new Set<string>();
  /** Groups that could not be removed, for whose parents it goes without saying. */
  readonly #kept: string[] = [];

  add(operation: Operation): void {
    if (operation.kind === 'create') this.#groups.add(operation.group);
    if (operation.kind === 'remove') this.#kept.push(operation.group);
    if (operation.kind !== 'write') return;
    if (operation.attribute === groupSetup) this.#groups.add(operation.group);
    this.#values.add(`${operation.group} ${operation.attribute}`);
  }

  stops(operation: Operation): boolean {
    if (operation.kind === 'remove') {
      return this.#kept.some((each) => isInside(each, operation.group));
    }
    if (operation.kind !== 'create' && operation.kind !== 'write') return false;
    if (this.#groups.size > 0 && this.#isBelow(operation.group)) return true;
    if (operation.kind !== 'write' || operation.needs === undefined) return false;
    return this.#values.has(`${operation.group} ${operation.needs}`);
  }

  #isBelow(group: string): boolean {
    if (this.#groups.has(group)) return true;
    return group !== '' && this.#isBelow(parentOf(group));
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

/** Takes away every group and quota of this instance. */
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
