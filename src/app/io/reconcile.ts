/**
 * Makes the units what the policy says. An application that stays as it is goes on without a gap; one whose units have
 * changed ends, and starts with the next request as it should. It can be killed at any instant: what is left to do shows in
 * the files, and in what systemd has of them.
 */
import { lstatSync } from 'node:fs';
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
import { ownAppsMaxOf, type Policy, type Tenant } from '../../policy/policy.ts';
import {
  applyFileChanges,
  removeEmptyDirectories,
  type FileSetChange,
} from '../../sys/files/file-set.ts';
import { underLockAsync } from '../../sys/files/under-lock.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import { appKey, appStem, directoriesLeft, parseUnitName, type AppId } from '../core/names.ts';
import { appLayoutOf, appPaths, type AppLayout } from './layout.ts';
import { keepDisabled, writeDisabled } from './disabled-file.ts';
import { removeOwnApps, ownAppUids, type Homes } from './own-apps.ts';
import { hasApps, installedUnits, planApps, type AppPlan, type HostApp } from './plan.ts';

type Tenants = Pick<Policy, 'tenants'>;
type States = ReadonlyMap<string, UnitState>;

export interface ReconcileOptions {
  /** Only ends what is not wanted any more; for the time before limits are applied. */
  readonly removesOnly?: boolean;
  /** The application to which it is limited; absent for all. */
  readonly only?: AppId;
  /** Facts of the agent, which does not wait for a command that is doing the same. */
  readonly agent?: {
    /** Applications in a crash loop that are to stay closed for now, by their keys. */
    readonly resting: ReadonlySet<string>;
    /** The marks of homes. */
    readonly homes: Homes;
    /** Whether the file still has its policy. */
    readonly isCurrent: () => boolean;
  };
}

/** Returns what could not be done; the rest is done. */
export async function reconcileApps(
  policy: Tenants,
  paths: Paths,
  options: ReconcileOptions = {},
): Promise<readonly Problem[]> {
  const { removesOnly = false, only, agent } = options;
  if (!runsSystemd()) return withoutSystemd(policy, paths);
  const keepsList = removesOnly || only !== undefined || agent !== undefined;
  const { disabled, lock } = appPaths(paths);
  // Whoever has none asks systemd nothing.
  if (!knowsApps(policy, paths) && !hasApps(paths))
    return keepsList ? [] : problemsOf(keepDisabled(disabled, () => false));
  const act = async (): Promise<Result<readonly Problem[], Problem>> => {
    // Another process may have applied a newer policy while this one waited.
    if (agent?.isCurrent() === false) return ok([]);
    const layout = await appLayoutOf(paths, agent?.homes);
    if (!layout.ok) return layout;
    const plan = planApps(policy, layout.value, only);
    if (!plan.ok) return plan;
    const refused = plan.value.refused.map(({ problem }) => problem);
    const { unreadable, isKnown } = plan.value;
    const left = await new Run(plan.value, layout.value, paths).run(removesOnly, agent?.resting);
    const kept = keepsList ? ok(undefined) : keepDisabled(disabled, isKnown);
    return ok([...unreadable, ...refused, ...left, ...problemsOf(kept)]);
  };
  const done = await underLockAsync(lock, act, agent && 0);
  return done.ok ? done.value : [done.error];
}

/** Whether the policy has applications, or a tenant has defined some, allowed or not. */
export const knowsApps = (
  { tenants }: Tenants,
  paths: Pick<Paths, 'state'>,
  isMeant: (tenant: Tenant) => boolean = () => true,
): boolean => {
  if (tenants.some(({ apps }) => apps !== undefined)) return true;
  const uids = ownAppUids(paths);
  if (!uids.ok) return true;
  const own = new Set(uids.value);
  return tenants.some((each) => own.has(each.uid) && isMeant(each));
};

/** Whether any of them are to be there. */
export const wantsApps = (tenants: Tenants, paths: Pick<Paths, 'state'>): boolean =>
  knowsApps(tenants, paths, (each) => ownAppsMaxOf(each) > 0);

const problemsOf = (result: Result<unknown, Problem>): readonly Problem[] =>
  result.ok ? [] : [result.error];

/** Units that another boot has left start nothing; they are removed once none is wanted. */
function withoutSystemd(policy: Tenants, paths: Paths): readonly Problem[] {
  if (wantsApps(policy, paths))
    return [
      {
        action: 'start applications of tenants',
        reason: 'systemd is not the init of this host, and keeps their sockets',
        hint: 'start them with bulkhead exec, or remove <app> from the policy',
      },
    ];
  const { units, instance } = appPaths(paths);
  const left = [units, ...wantedBy.map((each) => `${units}/${each}`)].flatMap((directory) =>
    namesIn(directory)
      .filter((name) => parseUnitName(instance, name) !== undefined)
      .map((name) => ({ path: `${directory}/${name}` })),
  );
  return problemsOf(applyFileChanges(left));
}

/**
 * Ends all applications and removes their units, the definitions of tenants and the list of disabled ones, whatever is in
 * them.
 */
export async function removeApps(paths: Paths): Promise<readonly Problem[]> {
  const problems = await reconcileApps({ tenants: [] }, paths, { removesOnly: true });
  const { disabled } = appPaths(paths);
  const forgotten = removeOwnApps(paths);
  return [...problems, ...problemsOf(forgotten), ...problemsOf(writeDisabled(disabled, new Set()))];
}

/** How long calls for single units may take once one for all of them has failed. */
const aloneMs = 120_000;

class Run {
  readonly #plan: AppPlan;
  readonly #layout: AppLayout;
  readonly #paths: Paths;
  readonly #problems: Problem[] = [];

  constructor(plan: AppPlan, layout: AppLayout, paths: Paths) {
    this.#plan = plan;
    this.#layout = layout;
    this.#paths = paths;
  }

  async run(
    removesOnly: boolean,
    resting: ReadonlySet<string> = new Set(),
  ): Promise<readonly Problem[]> {
    await this.#remove();
    if (removesOnly) return this.#problems;
    const found = await this.#states();
    const states = found && (await this.#write(found));
    if (states !== undefined) await this.#open(states, resting);
    return this.#problems;
  }

  async #states(): Promise<States | undefined> {
    const states = await unitStates(`${appStem(this.#layout.instance)}@*`);
    this.#note(states);
    return states.ok ? states.value : undefined;
  }

  #note(result: Result<unknown, Problem>): void {
    this.#problems.push(...problemsOf(result));
  }

  /** Returns the units for which it failed; none of them keeps back another. */
  async #each(args: readonly string[], units: readonly string[]): Promise<ReadonlySet<string>> {
    const together = await systemctlEach(args, units);
    if (together.ok) return new Set();
    const failing = new Set(units);
    const until = performance.now() + aloneMs;
    const problems: Problem[] = [];
    for (const unit of units) {
      if (performance.now() > until) break;
      const done = await systemctl(...args, unit);
      if (done.ok) failing.delete(unit);
      else problems.push(done.error);
    }
    if (failing.size > 0)
      this.#problems.push(...(problems.length > 0 ? problems : [together.error]));
    return failing;
  }

  async #remove(): Promise<void> {
    const { leaving, changes } = this.#plan;
    if (leaving.length === 0) return;
    // A socket would start its service again, and each is disabled according to its own text.
    const sorted = [...leaving].sort((a, b) => Number(isSocket(b)) - Number(isSocket(a)));
    const failing = await this.#each(['disable', '--quiet', '--now'], sorted);
    const gone = leaving.filter((unit) => !failing.has(unit));
    const removals = changes.filter(
      ({ path, to }) => to === undefined && gone.some((unit) => path === this.#pathOf(unit)),
    );
    if (removals.length === 0) return;
    await this.#apply(removals);
    await systemctlEach(['reset-failed'], gone);
    this.#removeDirectories();
    if (installedUnits(this.#layout).size === 0)
      this.#note(await stopTemplateSlice(appStem(this.#layout.instance)));
  }

  /** Removes the directories in which no socket is left. */
  #removeDirectories(): void {
    const { instance } = this.#layout;
    const uids = this.#plan.leaving.flatMap((unit) => parseUnitName(instance, unit)?.uid ?? []);
    const hasJails = isThere(`${this.#paths.runtime}/jail`);
    removeEmptyDirectories(directoriesLeft(instance, uids, hasJails));
  }

  /**
   * Units that change are stopped first: a socket cannot be opened again beside its running service. Links to them are
   * removed according to their old text. Returns the states afterwards.
   */
  async #write(states: States): Promise<States | undefined> {
    const { changed, updated, changes } = this.#plan;
    if (changed.length + updated.length === 0) return states;
    const there = changed.flatMap(unitsOf).filter((unit) => isThere(this.#pathOf(unit)));
    const running = there.filter((unit) => (states.get(unit)?.active ?? 'inactive') !== 'inactive');
    const failing = await this.#each(['stop'], running);
    const kept = changed
      .map(unitsOf)
      .filter((units) => units.some((unit) => failing.has(unit)))
      .flat();
    await this.#each(
      ['disable', '--quiet', '--no-reload'],
      there.filter((unit) => !kept.includes(unit)),
    );
    await this.#apply(
      changes.filter(
        ({ path, to }) => to !== undefined && kept.every((unit) => path !== this.#pathOf(unit)),
      ),
    );
    return this.#states();
  }

  #pathOf(unit: string): string {
    return `${this.#layout.units}/${unit}`;
  }

  async #apply(changes: readonly FileSetChange[]): Promise<void> {
    if (changes.length === 0) return;
    this.#note(applyFileChanges(changes));
    this.#note(await systemctl('daemon-reload'));
  }

  /** Opens each socket that is not open, and starts what is to run always. */
  async #open(states: States, resting: ReadonlySet<string>): Promise<void> {
    const { apps } = this.#plan;
    const stops = readStops(this.#paths);
    const isClosed = (unit: string) => states.get(unit)?.active !== 'active';
    const allowed = apps.filter(
      (each) =>
        startedOf(each).some(isClosed) && !stops.has(each.id.uid) && !resting.has(appKey(each.id)),
    );
    const isFailed = (unit: string) => states.get(unit)?.active === 'failed';
    // A service without its socket is one of an interrupted run, and a socket does not open beside it.
    const alone = allowed.filter(({ socket, service }) => isClosed(socket) && !isClosed(service));
    await this.#each(['reset-failed'], allowed.flatMap(unitsOf).filter(isFailed));
    await this.#each(
      ['stop'],
      alone.map(({ service }) => service),
    );
    await this.#each(
      ['enable', '--quiet', '--no-reload'],
      apps.flatMap((each) => startedOf(each).filter((unit) => !this.#isEnabled(unit))),
    );
    await this.#each(['start'], allowed.flatMap(startedOf));
  }

  #isEnabled(unit: string): boolean {
    const { units } = this.#layout;
    return wantedBy.some((each) => isThere(`${units}/${each}/${unit}`));
  }
}

/** The directories of links to units that start at boot. */
const wantedBy = ['sockets.target.wants', 'multi-user.target.wants'];

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

const unitsOf = ({ socket, service }: HostApp): readonly string[] => [socket, service];

/** Returns what is started without a request, also at boot. */
const startedOf = ({ socket, service, app }: HostApp): readonly string[] =>
  app.idleSeconds === 0 ? [socket, service] : [socket];

const isSocket = (unit: string) => unit.endsWith('.socket');
