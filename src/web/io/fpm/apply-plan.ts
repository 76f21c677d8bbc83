/**
 * Applies a plan in the order that loses no request that can be kept:
 *
 *     1. files are written, and systemd reads them
 *     2. sockets of services that end are closed and their paths removed, for the distribution's master to bind
 *     3. new sockets are bound next to the old ones, and held (sockets.ts)
 *     4. the distribution's master reads its new main file
 *     5. what could not be removed before: services that end, and their files
 *
 * php-fpm itself refuses to start if another process listens there, so a pool that goes back has a gap as long as
 * a reload. If all pools go back, the master starts anew, and takes the sockets over (pass-sockets.ts): they are not
 * closed before that, and no request is lost. A failure up to step 4 undoes all that was done.
 */
import { dirname } from 'node:path';
import { causedBy, failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { distributionUnit } from '../../../layouts/layouts.ts';
import { unitStem } from '../../core/fpm/service/units.ts';
import {
  applyFileChanges,
  changesBetween,
  contentAt,
  removeEmptyDirectories,
  type FileSetChange,
} from '../../../sys/files/file-set.ts';
import { endingBy, stopServices } from './services/bounded-stop.ts';
import type { FpmLayout } from './layout.ts';
import { readDistribution } from './services/distribution.ts';
import { startWithSockets } from './services/pass-sockets.ts';
import type { FpmPlan, SocketChange } from './plan.ts';
import {
  findSocketAgain,
  heldBy,
  dropKeptSocket,
  heldPaths,
  holdPath,
  isFound,
  keepSocket,
  leaveSocket,
  releasePath,
  removeSocket,
  restoreSocket,
  untilReleased,
  untilServed,
} from './sockets.ts';
import {
  stopTemplateSlice,
  systemctl,
  systemctlEach,
  unitProperties,
  unitStates,
} from '../../../host/systemd/systemctl.ts';
import { namesIn } from '../../../../packages/base/io/read.ts';

/**
 * The caller: a person, or the distribution's service before it starts, before its master is told to reload, and
 * after that.
 */
export type FpmCaller = 'command' | 'start' | 'reload' | 'reloaded';

/** How long to wait for requests in progress. */
const servedWithinMs = 10_000;
/** A reload of a thousand pools takes a second. */
const releasedWithinMs = 60_000;

type Step = Promise<Result<void, Problem>>;

export async function applyFpmPlan(
  plan: FpmPlan,
  layout: FpmLayout,
  moment: FpmCaller,
): Promise<Result<void, Problem>> {
  const distribution = await readDistribution(plan, layout);
  if (!distribution.ok) return distribution;
  const master = Number(distribution.value.get('MainPID') ?? 0);
  const run = new Run(plan, layout, moment, master);
  const switched = await run.switchOver();
  if (switched.ok) return moment === 'reload' ? ok(undefined) : run.finish();
  const undone = await run.undo();
  if (undone.ok) return failed({ ...switched.error, hint: 'everything is as it was before' });
  const reason = `${switched.error.reason}; and what was done before is not undone: ${causedBy(undone.error).reason}`;
  return failed({ ...switched.error, reason });
}

class Run {
  readonly #plan: FpmPlan;
  readonly #layout: FpmLayout;
  readonly #moment: FpmCaller;
  /** The process of the distribution's service; 0 if it does not run. */
  readonly #master: number;
  #isTold = false;
  /** Sockets that the distribution's master is to take over as they are. */
  #passed: readonly SocketChange[] = [];

  constructor(plan: FpmPlan, layout: FpmLayout, moment: FpmCaller, master: number) {
    this.#plan = plan;
    this.#layout = layout;
    this.#moment = moment;
    this.#master = moment === 'start' ? 0 : master;
  }

  /** Whether the distribution's service tells its master itself what to read. */
  get #isCalled(): boolean {
    return this.#moment !== 'command';
  }

  switchOver(): Step {
    const { writes, removals, opening } = this.#plan;
    const { links, dropIn } = this.#layout;
    // The distribution's service reads these: it is told before the rest is removed.
    const first = removals.filter(({ path }) => path === dropIn || path.startsWith(`${links}/`));
    return inOrder([
      () => this.#write([...writes, ...first]),
      () => this.#close(),
      () => this.#open(opening),
      () => this.#hold(),
      () => this.#tellDistribution(),
      () => this.#reloadChanged(),
    ]);
  }

  /** Finishes as much as possible of what was begun, and returns the first problem. */
  async finish(): Step {
    const { sockets, closing, leaving, removals } = this.#plan;
    const held = this.#held();
    const listens = held.map(({ listen }) => listen);
    if (this.#master !== 0) await untilReleased(this.#master, listens, releasedWithinMs);
    const results = [
      await releaseAll(held),
      ...sockets.map(({ listen }) => dropKeptSocket(listen.stream)),
      // No service may start again after its end.
      await systemctlEach(['stop'], unitsOf(this.#passed)),
      await this.#stop(leaving),
      await this.#stop(this.#goingOn()),
      // Some services remove the paths of their sockets when they end.
      await this.#leave(),
      await this.#forget([...leaving, ...unitsOf(closing)]),
      await this.#write(removals),
      this.#isGivingUp ? await stopTemplateSlice(unitStem(this.#layout)) : ok(undefined),
    ];
    removeEmptyDirectories(this.#directories());
    return results.find((each) => !each.ok) ?? ok(undefined);
  }

  /** Leaves the passed sockets to the distribution's master. Pools that it does not have are gone. */
  async #leave(): Step {
    if (this.#passed.length === 0) return ok(undefined);
    const unit = await unitProperties(distributionUnit(this.#layout.php), ['MainPID']);
    if (!unit.ok) return unit;
    const listens = this.#passed.map(({ listen }) => listen);
    const taken = new Set(heldBy(Number(unit.value.get('MainPID') ?? 0), listens));
    const results = listens.map((each) =>
      taken.has(each) ? leaveSocket(each) : removeSocket(each),
    );
    return results.find((each) => !each.ok) ?? ok(undefined);
  }

  /** Lets systemd forget units that failed, such as services that were killed because they did not end. */
  async #forget(units: readonly string[]): Step {
    if (units.length === 0) return ok(undefined);
    const states = await unitStates(`${unitStem(this.#layout)}@*`);
    if (!states.ok) return states;
    const isFailed = (unit: string) => states.value.get(unit)?.active === 'failed';
    return systemctlEach(['reset-failed'], units.filter(isFailed));
  }

  /** Whether no tenant is to have a service any more. */
  get #isGivingUp(): boolean {
    return this.#plan.removals.some(({ path }) => path === this.#layout.choice);
  }

  async undo(): Step {
    const { opening, closing, before } = this.#plan;
    await releaseAll(this.#held());
    await systemctlEach(['disable', '--quiet', '--no-reload', '--now'], unitsOf(opening));
    const back = await this.#write(this.#backwards());
    removeEmptyDirectories(this.#directories());
    if (!back.ok) return back;
    for (const { listen } of opening) {
      removeSocket(listen);
      restoreSocket(listen.stream);
    }
    await this.#stop(opening.flatMap(servicesOf));
    const changed = opening.filter(({ unit }) => before.has(`${this.#layout.units}/${unit}`));
    const were = unitsOf([...closing, ...changed]);
    const opened = await systemctlEach(['enable', '--quiet', '--now'], were);
    if (!opened.ok || !this.#isTold) return opened;
    const unit = distributionUnit(this.#layout.php);
    // If it failed, systemd has used up its start attempts.
    await systemctl('reset-failed', unit);
    const restarted = await systemctl('restart', unit);
    // A master that had taken the sockets over has removed their paths.
    for (const { listen } of this.#passed) findSocketAgain(listen);
    return without(restarted);
  }

  #backwards(): readonly FileSetChange[] {
    const { before, writes, removals } = this.#plan;
    const touched = [...writes, ...removals].map(({ path }) => path);
    const now = touched.flatMap((path) => {
      const content = contentAt(path);
      return content === undefined ? [] : [[path, content] as const];
    });
    const were = [...before].filter(([path]) => touched.includes(path));
    return changesBetween(new Map(now), new Map(were));
  }

  async #write(changes: readonly FileSetChange[]): Step {
    if (changes.length === 0) return ok(undefined);
    const prefix = `${this.#layout.units}/`;
    const sockets = changes.flatMap(({ path, to }) =>
      to === undefined && path.endsWith('.socket') ? [path.slice(prefix.length)] : [],
    );
    // Links to a unit are removed according to its own text. systemd reads everything again below.
    if (sockets.length > 0) await systemctlEach(['disable', '--quiet', '--no-reload'], sockets);
    const written = applyFileChanges(changes);
    if (!written.ok || !changes.some(({ path }) => path.startsWith(prefix))) return written;
    return without(await systemctl('daemon-reload'));
  }

  async #close(): Step {
    const { closing, opening, leaving, sockets } = this.#plan;
    const isActive = ({ unit }: SocketChange) => this.#stateOf(unit) === 'active';
    if (this.#isGivingUp && !this.#isCalled)
      this.#passed = closing.filter((each) => isActive(each) && isFound(each.listen));
    const shut = closing.filter((each) => !this.#passed.includes(each));
    const closed = await systemctlEach(['stop'], unitsOf([...shut, ...opening].filter(isActive)));
    if (!closed.ok) return closed;
    // One that was closed before may be the distribution's again by now; or what it had started listens still, as PHP that is
    // frozen does.
    // Or it has passed to another unit, when the distribution's service was about to read its files.
    const staying = sockets.filter((each) => !opening.includes(each));
    const isTaken = ({ listen }: SocketChange) =>
      staying.some((each) => each.listen.stream === listen.stream);
    const isOpen = (change: SocketChange) =>
      isActive(change) || (isFound(change.listen) && !isTaken(change));
    const listens = shut.filter(isOpen).map(({ listen }) => listen);
    // A run that was killed may have passed them before.
    const taken = new Set(listens.length === 0 ? [] : heldBy(this.#master, listens));
    for (const each of listens) {
      const removed = taken.has(each) ? leaveSocket(each) : removeSocket(each);
      if (!removed.ok) return removed;
    }
    // Nothing follows a start.
    return this.#moment === 'start' ? this.#stop([...leaving, ...this.#goingOn()]) : ok(undefined);
  }

  async #open(sockets: readonly SocketChange[]): Step {
    if (sockets.length === 0) return ok(undefined);
    // A socket cannot start while its service runs. It waits until the service has ended. Requests at the other
    // sockets then start the service again, after this socket.
    const running = [...new Set(sockets.flatMap(servicesOf))].filter(
      (unit) => this.#stateOf(unit) !== 'inactive',
    );
    const stopping = await systemctlEach(['stop', '--no-block'], running);
    if (!stopping.ok) return stopping;
    const paths = sockets.map(({ listen }) => listen.stream);
    const kept = this.#master === 0 ? undefined : paths.map(keepSocket).find((each) => !each.ok);
    if (kept !== undefined) return kept;
    const open = () => systemctlEach(['enable', '--quiet', '--now'], unitsOf(sockets));
    return running.length === 0 ? open() : endingBy(running, open);
  }

  /** Holds every path that the distribution's master could remove. */
  async #hold(): Step {
    if (this.#master === 0 || this.#moment === 'reloaded') return ok(undefined);
    const listens = this.#plan.sockets.map(({ listen }) => listen);
    for (const { stream } of heldBy(this.#master, listens)) {
      const held = await holdPath(stream);
      if (!held.ok) return held;
    }
    return ok(undefined);
  }

  async #tellDistribution(): Step {
    const { opening } = this.#plan;
    const unit = distributionUnit(this.#layout.php);
    if (this.#master !== 0 && this.#moment !== 'reloaded') {
      const listens = opening.map(({ listen }) => listen);
      await untilServed(this.#master, listens, servedWithinMs);
    }
    if (this.#isCalled) return ok(undefined);
    const word = this.#word();
    if (word === 'leave') return ok(undefined);
    this.#isTold = true;
    if (this.#passed.length > 0 && word !== 'reload') {
      const passed = await this.#pass(unit, word);
      if (passed.ok) return passed;
    }
    return without(await systemctl(word, unit));
  }

  #word(): 'start' | 'restart' | 'reload' | 'leave' {
    const { closing, distribution } = this.#plan;
    // Somebody has to serve the pools that go back.
    if (this.#master === 0) return closing.length > 0 ? 'start' : 'leave';
    if (this.#passed.length === 0) return distribution;
    // A run that was killed may have come as far as this.
    const listens = this.#passed.map(({ listen }) => listen);
    return heldBy(this.#master, listens).length === listens.length ? 'leave' : 'restart';
  }

  /** Starts the distribution's service with the sockets. If that fails, they are closed, and it can start without. */
  async #pass(unit: string, word: 'start' | 'restart'): Step {
    const { instance } = this.#layout;
    const sockets = unitsOf(this.#passed);
    const started = await startWithSockets({ instance, unit, sockets }, word);
    if (started.ok) return started;
    const closed = [
      await systemctlEach(['stop'], sockets),
      ...this.#passed.map(({ listen }) => removeSocket(listen)),
      without(await systemctl('reset-failed', unit)),
    ];
    this.#passed = [];
    return closed.find((each) => !each.ok) ?? started;
  }

  /** Reloads changed services without waiting: a tenant can make its own master slow to answer. */
  async #reloadChanged(): Step {
    const { changed, replaced, opening, closing } = this.#plan;
    const stopped = new Set([...opening, ...closing].flatMap(servicesOf));
    const going = (units: readonly string[]) => units.filter((unit) => !stopped.has(unit));
    // A master that reads its files again keeps its user, so this one ends. With the next request it starts as it
    // should.
    const ended = await systemctlEach(['stop', '--no-block'], going(replaced));
    if (!ended.ok) return ended;
    const rest = going(changed).filter((unit) => !replaced.includes(unit));
    return systemctlEach(['try-reload-or-restart', '--no-block'], rest);
  }

  /** Services that go on without one of their pools. They start anew, since they still have the old socket. */
  #goingOn(): readonly string[] {
    const { closing, leaving } = this.#plan;
    return closing.flatMap(servicesOf).filter((unit) => !leaving.includes(unit));
  }

  /** Stops these services, if they run. */
  #stop(services: readonly string[]): Step {
    const units = [...new Set(services)];
    return this.#moment === 'reloaded'
      ? systemctlEach(['stop', '--no-block'], units)
      : stopServices(units);
  }

  #stateOf(unit: string): string {
    return this.#plan.states.get(unit)?.active ?? 'inactive';
  }

  #held(): readonly SocketChange[] {
    const held = heldPaths();
    return this.#plan.sockets.filter(({ listen }) => held.has(listen.stream));
  }

  /** Directories that may be empty now, the deepest first. */
  #directories(): readonly string[] {
    const { links, directory, dropIn } = this.#layout;
    const below = namesIn(links).map((each) => `${links}/${each}`);
    return [...below, links, directory, dirname(directory), dirname(dropIn)];
  }
}

async function releaseAll(sockets: readonly SocketChange[]): Step {
  const results: Result<void, Problem>[] = [];
  for (const { listen } of sockets) results.push(await releasePath(listen.stream));
  return results.find((each) => !each.ok) ?? ok(undefined);
}

const without = (result: Result<unknown, Problem>): Result<void, Problem> =>
  result.ok ? ok(undefined) : result;

/** Returns the service that has the socket, and the service that gets it. */
const servicesOf = ({ service, before }: SocketChange): readonly string[] =>
  before === undefined ? [service] : [before, service];

const unitsOf = (sockets: readonly SocketChange[]) => [...new Set(sockets.map(({ unit }) => unit))];

async function inOrder(steps: readonly (() => Step)[]): Step {
  for (const step of steps) {
    const done = await step();
    if (!done.ok) return done;
  }
  return ok(undefined);
}
