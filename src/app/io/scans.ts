/**
 * The applications of the policy in force, as they were last seen. Tenants see states of the last seconds. Requests
 * share a scan, so tenants that ask often cost the host no more.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Homes } from './own-apps.ts';
import { hasApps } from './plan.ts';
import { knowsApps } from './reconcile.ts';
import { readApps, type SeenApp, type SeenApps } from './states.ts';

/** The applications as they were last seen. */
export interface LastSeen {
  readonly apps: readonly SeenApp[];
  /** Units that are there, and not wanted any more. */
  readonly leaving: readonly string[];
}

interface TimedScan extends LastSeen {
  /** Monotonic time at which it began. */
  readonly at: number;
}

/** States that are older are not shown as current. */
const freshMilliseconds = 10_000;

export class AppScans {
  readonly #paths: Paths;
  readonly #freshMilliseconds: number;
  #policy: Policy | undefined;
  #homes: Homes = new Map();
  #last: TimedScan | undefined;
  #running: Promise<boolean> | undefined;
  /** Monotonic time of the last failure of a scan that requests share. */
  #failedAt = -Infinity;

  constructor(paths: Paths, fresh = freshMilliseconds) {
    this.#paths = paths;
    this.#freshMilliseconds = fresh;
  }

  get policy(): Policy | undefined {
    return this.#policy;
  }

  get homes(): Homes {
    return this.#homes;
  }

  /** The last scan of applications of this policy; undefined if there was none. */
  get last(): LastSeen | undefined {
    return this.#last;
  }

  /** Follows another policy. What was seen of the previous one says nothing about applications of this one. */
  adopt(policy: Policy, homes: Homes): void {
    this.#policy = policy;
    this.#homes = homes;
    this.#last = undefined;
    this.#running = undefined;
    this.#failedAt = -Infinity;
  }

  /** Whether the host can have any application, of this policy or left by another one. */
  hasAny(policy: Policy): boolean {
    return knowsApps(policy, this.#paths) || hasApps(this.#paths);
  }

  /** Scans the applications now. A scan that began before the last one does not replace it. */
  async scan(policy: Policy): Promise<Result<SeenApps, Problem>> {
    const at = performance.now();
    const read = await readApps(policy, this.#paths, this.#homes);
    if (read.ok)
      this.#keep(policy, { apps: read.value.apps, leaving: read.value.plan.leaving, at });
    return read;
  }

  /** Notes that there are none, as a scan would. */
  noteNone(policy: Policy): void {
    this.#keep(policy, { apps: [], leaving: [], at: performance.now() });
  }

  /** Returns a scan of the last seconds, and scans first if there is none; undefined if the host cannot be scanned. */
  async fresh(): Promise<LastSeen | undefined> {
    const policy = this.#policy;
    if (policy === undefined) return undefined;
    const after = performance.now() - this.#freshMilliseconds;
    if (this.#last !== undefined && this.#last.at > after) return this.#last;
    if (this.#failedAt > after) return undefined;
    const hasScanned = await (this.#running ?? this.#share(policy));
    if (this.#policy !== policy) return this.fresh();
    return hasScanned ? this.#last : undefined;
  }

  /** Scans once for all that ask meanwhile. */
  #share(policy: Policy): Promise<boolean> {
    const running = this.#scanOrNote(policy).finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    return (this.#running = running);
  }

  /** Returns whether it could scan. */
  async #scanOrNote(policy: Policy): Promise<boolean> {
    if (!this.hasAny(policy)) {
      this.noteNone(policy);
      return true;
    }
    const scanned = await this.scan(policy);
    if (!scanned.ok) this.#failedAt = performance.now();
    return scanned.ok;
  }

  #keep(policy: Policy, scan: TimedScan): void {
    if (this.#policy !== policy || (this.#last?.at ?? -Infinity) > scan.at) return;
    this.#last = scan;
  }
}
