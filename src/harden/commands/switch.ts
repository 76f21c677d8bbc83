/** The steps that `bulkhead harden enable` and `disable` share: plan, show, ask, and change the host. */
import type { Command } from 'commander';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { pathsFor, print, printError, printJson, failWith } from '../../cli/shared/output.ts';
import { printDiff } from '../../cli/shared/print-diff.ts';
import { canAsk, confirm } from '../../cli/confirm.ts';
import {
  defaultHardenSettings,
  planHarden,
  planUndo,
  type KeptSettings,
  type HardenPlan,
} from '../core/plan.ts';
import { settingOf, settings, type KernelSetting } from '../core/settings.ts';
import { laterLine } from '../core/sysctl-files.ts';
import { applyHardenPlan, lockHardening, readOurs, readHardenRecord } from '../io/apply-plan.ts';
import { hardenPathsOf, readSysctlFiles, sysctlReader, type HardenPaths } from '../io/places.ts';
import type { HardenEnableJson } from './json.ts';

interface SwitchOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

type Chosen = readonly KernelSetting[] | 'default';

interface Request {
  readonly verb: Verb;
  readonly chosen: Chosen;
  readonly options: SwitchOptions;
}

/** The planned change, and the facts that it was made from. */
interface Work {
  readonly plan: HardenPlan;
  readonly record: KeptSettings;
  readonly undo: boolean;
  /** The text of our file, as it is. */
  readonly text: string | undefined;
  readonly notes: readonly string[];
}

type Verb = 'enable' | 'disable';

export const withHardenOptions = (command: Command): Command =>
  command
    .option('--dry-run', 'print what would change; changes nothing')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print what was changed as JSON; needs --yes or --dry-run');

export const switchItems =
  (verb: Verb) => (items: readonly string[], options: SwitchOptions, command: Command) =>
    run(verb, items, options, command);

async function run(
  verb: Verb,
  items: readonly string[],
  options: SwitchOptions,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const chosen = chosenSettings(items);
  if (chosen === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0)
    return failWith({
      action: 'harden this host',
      reason: 'only root can',
      hint: 'run it as root',
    });
  const places = hardenPathsOf(paths);
  // A dry run creates no files of ours.
  const request: Request = { verb, chosen, options };
  if (options.dryRun === true) return withWork(places, request, () => exitCodes.done);
  const lock = lockHardening(places);
  if (!lock.ok) return failWith(lock.error);
  using _lock = lock.value;
  return withWork(places, request, (work) => change(places, work, options));
}

async function withWork(
  places: HardenPaths,
  request: Request,
  use: (work: Work) => ExitCode | Promise<ExitCode>,
): Promise<ExitCode> {
  const { options } = request;
  const record = readHardenRecord(places);
  if (!record.ok) return failWith(record.error);
  const ours = readOurs(places);
  if (!ours.ok) return failWith(ours.error);
  const work = workOf(places, request, record.value, ours.value);
  const isDone = work.plan.values.length === 0 && work.plan.text === work.text;
  if (options.json !== true) show(work, places, isDone);
  const status =
    isDone && work.record.length === work.plan.record.length ? exitCodes.done : await use(work);
  if (options.json === true && status === exitCodes.done)
    printJson({
      changed: work.plan.values,
      file: places.file,
      before: work.text ?? null,
      after: work.plan.text ?? null,
      notes: work.notes,
      dryRun: options.dryRun === true,
    } satisfies HardenEnableJson);
  return status;
}

/** Plans the work. An undo that was killed is finished before anything else. */
function workOf(
  places: HardenPaths,
  { verb, chosen }: Request,
  record: KeptSettings,
  text: string | undefined,
): Work {
  const read = sysctlReader(places);
  const undo = verb === 'disable';
  const isHalf = record.some((each) => each.undoing === true);
  if (undo || isHalf) {
    const named = chosen === 'default' ? undefined : chosen.map(({ key }) => key);
    const keys = undo ? named && new Set(named) : new Set<string>();
    const plan = planUndo(record, read, keys);
    const half = undo
      ? []
      : ['An undo was interrupted; it is completed first. Run the command again then'];
    return { plan, record, undo: true, text, notes: [...half, ...plan.notes] };
  }
  const plan = planHarden(chosen === 'default' ? defaultHardenSettings : chosen, read, record);
  const files = readSysctlFiles(places);
  const later = plan.record.flatMap(({ key, set }) => {
    const line = laterLine(key, places.file, files);
    return line === undefined || line.value === set
      ? []
      : [
          `${line.path}:${line.line} sets ${key} to ${line.value} at boot, after our file, and wins`,
        ];
  });
  const breaks = plan.values.flatMap(({ key }) => {
    const setting = settingOf(key);
    return setting === undefined ? [] : [`${key} may break: ${setting.breaks}`];
  });
  // Unavailable settings matter only to those who named them.
  const missing = chosen === 'default' ? [] : plan.notes;
  return { plan, record, undo: false, text, notes: [...breaks, ...later, ...missing] };
}

function show({ plan, text, notes, undo }: Work, places: HardenPaths, isDone: boolean): void {
  for (const { key, from, to } of plan.values) print(`${key}: ${from} -> ${to}`);
  if (plan.text !== text) printDiff(places.file, text ?? '', plan.text ?? '');
  for (const note of notes) print(`Note: ${note}`);
  if (isDone)
    print(
      undo
        ? 'Nothing is left to undo'
        : 'Nothing is lacking that harden sets without being asked by name',
    );
}

async function change(places: HardenPaths, work: Work, options: SwitchOptions): Promise<ExitCode> {
  if (options.yes !== true) {
    if (options.json === true || !canAsk()) {
      const hint = 'pass --yes, or --dry-run to see what would change';
      printError({ action: 'change this host', reason: 'nobody can be asked here', hint });
      return exitCodes.usage;
    }
    if (!(await confirm('Change this?'))) {
      print('Nothing was changed');
      return exitCodes.failed;
    }
  }
  const { plan, record, undo } = work;
  const done = applyHardenPlan({ places, plan, before: record, undo });
  if (!done.ok) return failWith(done.error);
  for (const note of done.value.notes) printError(note);
  if (options.json !== true)
    print(undo ? 'Set back to what it was' : 'Set, read back, and kept for the next boot');
  return exitCodes.done;
}

function chosenSettings(items: readonly string[]): Chosen | undefined {
  if (items.length === 0) return 'default';
  const unknown = items.find((each) => settingOf(each) === undefined);
  if (unknown === undefined) return items.flatMap((each) => settingOf(each) ?? []);
  printError({
    action: 'harden',
    object: unknown,
    reason: 'there is no such item',
    hint: `use ${settings.map((each) => each.item).join(', ')}`,
  });
  return undefined;
}
