/** Plans the changes after which exactly the chosen tenants have services. Changes nothing. */
import { chmodSync, mkdirSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { isUnitOfStopped, readStops, type Stop } from '../../../host/stops.ts';
import { privateDirectory } from '../../../../packages/base/io/private-directory.ts';
import { isNobody, type ServiceChoice } from '../../core/fpm/service/choice.ts';
import { listenOf, type Listen } from '../../core/fpm/service/listen.ts';
import type { SplitService, Split } from '../../core/fpm/service/split.ts';
import { sectionsInText } from '../../core/fpm/service/text-sections.ts';
import { serviceName, unitStem } from '../../core/fpm/service/units.ts';
import { CheckBudget } from './check/budget.ts';
import { sectionsDiffer } from './check/check.ts';
import { placeText } from './check/dump.ts';
import { dumpAccepted, type CheckRun, type LeftOut } from './check/left-out.ts';
import { Unfinished } from './check/unfinished.ts';
import { checkedSplit, type Checked, type SplitRefusal } from './checked-split.ts';
import { configPath, type FpmContext } from './context.ts';
import { readHostView } from './facts.ts';
import {
  changesBetween,
  sameContent,
  type Content,
  type FileSetChange,
  type FileSet,
} from '../../../sys/files/file-set.ts';
import { readFpmInputs, type FpmInputs } from './inputs.ts';
import { readInstalled, serviceOf, streamsOf, type Installed } from './installed.ts';
import type { FpmLayout } from './layout.ts';
import { isFound } from './sockets.ts';
import { unitStates, type UnitState } from '../../../host/systemd/systemctl.ts';
import { wantedFiles } from './wanted-files.ts';

export interface SocketChange {
  readonly unit: string;
  /** The service that the socket starts. */
  readonly service: string;
  /** The service that it has started until now, if that is another one. */
  readonly before?: string;
  readonly listen: Listen;
}

export interface FpmPlan {
  readonly services: readonly SplitService[];
  readonly kept: Split['kept'];
  /** Tenants whose new configuration php-fpm does not accept; they keep what they had. */
  readonly refused: readonly SplitRefusal[];
  readonly writes: readonly FileSetChange[];
  readonly removals: readonly FileSetChange[];
  readonly before: FileSet;
  /** All wanted sockets. */
  readonly sockets: readonly SocketChange[];
  /** Sockets that do not listen yet, and sockets that are not wanted. */
  readonly opening: readonly SocketChange[];
  readonly closing: readonly SocketChange[];
  readonly leaving: readonly string[];
  /** Services that read another configuration than they run with. */
  readonly changed: readonly string[];
  /** Services whose unit file differs from what they run with, such as the user or the cgroup. */
  readonly replaced: readonly string[];
  readonly distribution: 'restart' | 'reload' | 'leave';
  readonly states: ReadonlyMap<string, UnitState>;
}

export const isDone = ({ writes, removals, opening, closing, leaving }: FpmPlan): boolean =>
  [writes, removals, opening, closing, leaving].every((each) => each.length === 0);

export interface PlanOptions {
  /** The time for all php-fpm checks together. */
  readonly checkMs: number;
  /** Whether checks that did not finish before are tried again. */
  readonly triesAgain: boolean;
}

/** Options for a person who waits for the answer and wants to know the present state. */
const patient: PlanOptions = { checkMs: 500_000, triesAgain: true };

export async function planFpm(
  context: FpmContext,
  choice: ServiceChoice,
  { checkMs, triesAgain }: PlanOptions = patient,
): Promise<Result<FpmPlan, Problem>> {
  const scratch = scratchDirectory(context.paths);
  if (!scratch.ok) return scratch;
  using directory = scratch.value;
  const unfinished = new Unfinished(context.layout.unfinished);
  if (triesAgain) unfinished.forget();
  const budget = new CheckBudget(checkMs);
  const check = (round: number): CheckRun => {
    const path = `${directory.path}/${round}`;
    mkdirSync(path);
    chmodSync(path, 0o711);
    return { scratch: path, budget, unfinished };
  };
  let before: LeftOut = new Map();
  // A tenant may remove a directory meanwhile: each round leaves out one more file.
  for (let round = 0; ; round++) {
    const planned = await planWith(context, choice, check(round), before);
    unfinished.save();
    if (!planned.ok) return planned;
    if ('plan' in planned.value) return ok(planned.value.plan);
    before = planned.value.leftOut;
  }
}

type Planned = { readonly plan: FpmPlan } | { readonly leftOut: LeftOut };

async function planWith(
  context: FpmContext,
  choice: ServiceChoice,
  check: CheckRun,
  before: LeftOut,
): Promise<Result<Planned, Problem>> {
  const { layout, paths, policy } = context;
  const inputs = await readFpmInputs(context, check, before);
  if (!inputs.ok) return inputs;
  const states = await unitStates(`${unitStem(layout)}@*`);
  if (!states.ok) return states;
  const { files, leftOut, sections } = inputs.value;
  const broken = files.filter(({ path }) => leftOut.has(path));
  const host = readHostView(
    paths,
    policy,
    [...sections, ...broken.flatMap(({ text }) => sectionsInText(text))],
    context.fpm.php,
  );
  const installed = readInstalled(layout);
  const checked = await checkedSplit(context, choice, inputs.value, host, installed, check);
  const wanted: FileSet = isNobody(choice)
    ? new Map()
    : wantedFiles(context, choice, inputs.value, checked, installed);
  if (readsAnew(layout, installed.files, wanted)) {
    const main = await checkedMain(context, inputs.value, checked.split, check);
    if (!main.ok) return main;
    if (main.value.size > leftOut.size) return ok({ leftOut: main.value });
  }
  return ok({ plan: planOf(layout, checked, installed, wanted, states.value, readStops(paths)) });
}

/** Makes a directory in which tenants' accounts can read the files meant for them. */
function scratchDirectory({ runtime }: Paths) {
  try {
    mkdirSync(runtime, { recursive: true, mode: 0o755 });
    const directory = privateDirectory(runtime);
    chmodSync(directory.path, 0o711);
    return ok(directory);
  } catch (error) {
    const reason = (error as Error).message;
    return failed({ action: 'make a directory in', object: runtime, reason });
  }
}

/** Whether the distribution's service is to read other files than those that it has accepted. */
function readsAnew({ main, links }: FpmLayout, now: FileSet, wanted: FileSet): boolean {
  const isRead = (path: string) => path === main || path.startsWith(`${links}/`);
  return wanted.has(main) && changesBetween(now, wanted).some(({ path }) => isRead(path));
}

/** Returns what has to be left out by now; the same as before if nothing has changed meanwhile. */
async function checkedMain(
  context: FpmContext,
  { main, includes, files, sections, leftOut }: FpmInputs,
  { keptFiles }: Split,
  check: CheckRun,
): Promise<Result<LeftOut, Problem>> {
  const gone = new Set(
    files
      .filter((each) => !keptFiles.includes(each))
      .flatMap((each) => each.sections.map(({ name }) => name)),
  );
  const stay = sections.filter(({ name }) => !gone.has(name));
  const sources = { main, includes, files: keptFiles };
  const accepted = await dumpAccepted(context, sources, check, leftOut);
  const cannot = (reason: string) =>
    failed({ action: 'divide the pools of', object: context.layout.configuration, reason });
  if (!accepted.ok) return cannot(placeText(accepted.error));
  if (accepted.value.leftOut.size > leftOut.size) return ok(accepted.value.leftOut);
  const objection = sectionsDiffer(accepted.value.sections, stay);
  return objection === undefined ? ok(leftOut) : cannot(objection.reason);
}

function planOf(
  layout: FpmLayout,
  { services, split, refused }: Checked,
  installed: Installed,
  wanted: FileSet,
  states: ReadonlyMap<string, UnitState>,
  stops: ReadonlyMap<number, Stop>,
): FpmPlan {
  const changes = changesBetween(installed.files, wanted);
  const unitPath = (name: string) => `${layout.units}/${name}`;
  const isWanted = (name: string) => wanted.has(unitPath(name));
  const differs = (path: string) => !sameContent(installed.files.get(path), wanted.get(path));
  // It would not end before systemd kills it; "bulkhead start" has it begin anew.
  const isFrozen = (unit: string) =>
    isUnitOfStopped(stops, unit) && (states.get(unit)?.active ?? 'inactive') !== 'inactive';
  const units = [...installed.units];
  const wantedSockets = socketsIn(layout, wanted, installed.files);
  const gone = units.filter(([name]) => !isWanted(name));
  const going = services
    .map((each) => ({ config: configPath(layout, each), unit: serviceName(layout, each) }))
    .filter(({ config, unit }) => installed.files.has(config) && !isFrozen(unit));
  return {
    services,
    kept: split.kept,
    refused,
    writes: changes.filter(({ to }) => to !== undefined),
    removals: changes.filter(({ to }) => to === undefined),
    before: installed.files,
    sockets: wantedSockets,
    opening: wantedSockets.filter(
      ({ unit, service, listen }) =>
        !isFrozen(service) &&
        (states.get(unit)?.active !== 'active' || differs(unitPath(unit)) || !isFound(listen)),
    ),
    closing: gone.flatMap(([unit, { type }]) =>
      type === 'socket' ? socketChanges(unit, installed.files.get(unitPath(unit))) : [],
    ),
    leaving: gone.flatMap(([unit, { type }]) => (type === 'service' ? [unit] : [])),
    changed: going.filter(({ config }) => differs(config)).map(({ unit }) => unit),
    replaced: going.map(({ unit }) => unit).filter((unit) => differs(unitPath(unit))),
    distribution: differs(layout.dropIn)
      ? 'restart'
      : changes.some(({ path }) => path === layout.main || path.startsWith(`${layout.links}/`))
        ? 'reload'
        : 'leave',
    states,
  };
}

function socketsIn(layout: FpmLayout, files: FileSet, now: FileSet): readonly SocketChange[] {
  return [...files].flatMap(([path, content]) => {
    const unit = path.slice(layout.units.length + 1);
    if (!path.startsWith(`${layout.units}/`) || !/@\d+:.*\.socket$/.test(unit)) return [];
    return socketChanges(unit, content, serviceOf(now.get(path)));
  });
}

function socketChanges(
  unit: string,
  content: Content | undefined,
  before?: string,
): readonly SocketChange[] {
  const service = serviceOf(content);
  if (service === undefined) return [];
  const was = before === undefined || before === service ? {} : { before };
  return streamsOf(content).flatMap((stream) => {
    const listen = listenOf(stream);
    return listen.ok ? [{ unit, service, ...was, listen: listen.value }] : [];
  });
}
