/**
 * Makes the units what the policy says. An application that stays as it is goes on without a gap; one whose units have
 * changed ends, and starts with the next request as it should. It can be killed at any instant: what is left to do shows in
 * the files, and in what systemd has of them.
 */
import { existsSync } from 'node:fs';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import { readStops } from '../../host/stops.ts';
import {
  stopTemplateSlice,
  systemctl,
  systemctlEach,
  unitStates,
  type UnitState,
} from '../../host/systemd/systemctl.ts';
import type { Policy } from '../../policy/policy.ts';
import {
  applyFileChanges,
  removeEmptyDirectories,
  type FileSetChange,
} from '../../sys/files/file-set.ts';
import { underLockAsync } from '../../sys/files/under-lock.ts';
import { appKey, appStem, parseUnitName, socketsDirectory } from '../core/names.ts';
import { appLayoutOf, type AppLayout } from './layout.ts';
import { planApps, type AppPlan, type HostApp } from './plan.ts';

type Step = Promise<Result<void, Problem>>;
type Tenants = Pick<Policy, 'tenants'>;
type States = ReadonlyMap<string, UnitState>;

export interface ReconcileOptions {
  /** Only ends what is not wanted any more; for the time before limits are applied. */
  readonly removesOnly?: boolean;
  /** Applications in a crash loop that are to stay closed for now, by their keys. */
  readonly resting?: ReadonlySet<string>;
}

/** Returns what could not be done; the rest is done. */
export async function reconcileApps(
  policy: Tenants,
  paths: Paths,
  { removesOnly = false, resting = new Set() }: ReconcileOptions = {},
): Promise<readonly Problem[]> {
  if (!runsSystemd()) return withoutSystemd(policy);
  const layout = await appLayoutOf(paths);
  const done = await underLockAsync(layout.lock, async () => {
    const plan = planApps(policy, layout);
    if (!plan.ok) return plan;
    const problems = plan.value.refused.map(({ problem }) => problem);
    const left = await new Run(plan.value, layout, paths).run(removesOnly, resting);
    return ok(left.ok ? problems : [...problems, left.error]);
  });
  return done.ok ? done.value : [done.error];
}

function withoutSystemd({ tenants }: Tenants): readonly Problem[] {
  if (tenants.every(({ apps }) => apps === undefined)) return [];
  return [
    {
      action: 'start applications of tenants',
      reason: 'systemd is not the init of this host, and keeps their sockets',
      hint: 'start them with bulkhead exec, or remove <app> from the policy',
    },
  ];
}

/** Ends all applications and removes their units, whatever the policy says. */
export const removeApps = (paths: Paths): Promise<readonly Problem[]> =>
  reconcileApps({ tenants: [] }, paths, { removesOnly: true });

class Run {
  readonly #plan: AppPlan;
  readonly #layout: AppLayout;
  readonly #paths: Paths;

  constructor(plan: AppPlan, layout: AppLayout, paths: Paths) {
    this.#plan = plan;
    this.#layout = layout;
    this.#paths = paths;
  }

  async run(removesOnly: boolean, resting: ReadonlySet<string>): Step {
    const removed = await this.#remove();
    if (!removed.ok || removesOnly) return removed;
    const states = await unitStates(`${appStem(this.#layout.instance)}@*`);
    if (!states.ok) return states;
    const written = await this.#write(states.value);
    return written.ok ? this.#open(resting) : written;
  }

  async #remove(): Step {
    const { leaving, changes, apps } = this.#plan;
    const removals = changes.filter(({ to }) => to === undefined);
    if (removals.length === 0) return ok(undefined);
    // A socket would start its service again, and each is disabled according to its own text.
    const sorted = [...leaving].sort((a, b) => Number(isSocket(b)) - Number(isSocket(a)));
    const stopped = await systemctlEach(['disable', '--quiet', '--now'], sorted);
    if (!stopped.ok) return stopped;
    const done = await this.#apply(removals);
    if (!done.ok) return done;
    await systemctlEach(['reset-failed'], leaving);
    this.#removeDirectories();
    return apps.length === 0 ? stopTemplateSlice(appStem(this.#layout.instance)) : done;
  }

  /** Removes the directories in which no socket is left. */
  #removeDirectories(): void {
    const { instance } = this.#layout;
    const uids = this.#plan.leaving.flatMap((unit) => parseUnitName(instance, unit)?.uid ?? []);
    const above = socketsDirectory(instance);
    removeEmptyDirectories([...new Set(uids)].map((uid) => `${above}/${uid}`));
    removeEmptyDirectories([above]);
  }

  /**
   * Units that change are stopped first: a socket cannot be opened again beside its running service. Links to them are
   * removed according to their old text.
   */
  async #write(states: States): Step {
    const writes = this.#plan.changes.filter(({ to }) => to !== undefined);
    if (writes.length === 0) return ok(undefined);
    const there = this.#plan.changed.flatMap(unitsOf).filter((unit) => this.#isInstalled(unit));
    const running = there.filter((unit) => (states.get(unit)?.active ?? 'inactive') !== 'inactive');
    const stopped = await systemctlEach(['stop'], running);
    if (!stopped.ok) return stopped;
    const disabled = await systemctlEach(['disable', '--quiet', '--no-reload'], there);
    return disabled.ok ? this.#apply(writes) : disabled;
  }

  #isInstalled(unit: string): boolean {
    return existsSync(`${this.#layout.units}/${unit}`);
  }

  async #apply(changes: readonly FileSetChange[]): Step {
    const done = applyFileChanges(changes);
    if (!done.ok) return done;
    const reloaded = await systemctl('daemon-reload');
    return reloaded.ok ? ok(undefined) : reloaded;
  }

  /** Opens each socket that is not open, and starts what is to run always. */
  async #open(resting: ReadonlySet<string>): Step {
    const states = await unitStates(`${appStem(this.#layout.instance)}@*`);
    if (!states.ok) return states;
    const { apps, changed } = this.#plan;
    const stops = readStops(this.#paths);
    const isClosed = (unit: string) => states.value.get(unit)?.active !== 'active';
    const waiting = apps.filter((each) => startedOf(each).some(isClosed));
    const allowed = waiting.filter(({ id }) => !stops.has(id.uid) && !resting.has(appKey(id)));
    const isFailed = (unit: string) => states.value.get(unit)?.active === 'failed';
    // A service without its socket is one of an interrupted run, and a socket does not open beside it.
    const alone = allowed.filter(({ socket, service }) => isClosed(socket) && !isClosed(service));
    return inOrder([
      () => systemctlEach(['reset-failed'], allowed.flatMap(unitsOf).filter(isFailed)),
      () =>
        systemctlEach(
          ['stop'],
          alone.map(({ service }) => service),
        ),
      () =>
        systemctlEach(
          ['enable', '--quiet'],
          [...new Set([...changed, ...waiting])].flatMap(startedOf),
        ),
      () => systemctlEach(['start'], allowed.flatMap(startedOf)),
    ]);
  }
}

const unitsOf = ({ socket, service }: HostApp): readonly string[] => [socket, service];

/** Returns what is started without a request, also at boot. */
const startedOf = ({ socket, service, app }: HostApp): readonly string[] =>
  app.idleSeconds === 0 ? [socket, service] : [socket];

async function inOrder(steps: readonly (() => Step)[]): Step {
  for (const step of steps) {
    const done = await step();
    if (!done.ok) return done;
  }
  return ok(undefined);
}

const isSocket = (unit: string) => unit.endsWith('.socket');
