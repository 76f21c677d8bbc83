/** `bulkhead setup undo`: takes back what setup did, in reverse. */
import type { Command } from 'commander';
import { releaseSteps, removeOwnFiles } from '../../apply/release-everything.ts';
import { canAsk, confirm } from '../../cli/confirm.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, print, printError, printJson } from '../../cli/shared/output.ts';
import { policyOption } from '../../cli/shared/policy-option.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { setElement } from '../../policy/elements/edit-elements.ts';
import { removeIfThere, replaceFile } from '../../../packages/base/io/replace-file.ts';
import type { SetupRecord, StepRecord } from '../core/record.ts';
import { steps } from '../core/steps.ts';
import type { Step, StepContext } from '../core/step.ts';
import { lockSetup } from '../io/lock.ts';
import { restorePolicy } from '../io/policy-edits.ts';
import { readRecord, recordFile } from '../io/record-file.ts';
import { reloadUnits } from '../io/reload-units.ts';
import { runCommand, runCommands } from '../io/run-command.ts';
import { undoBootOptions } from './boot/undo.ts';
import { defaultAnswers } from './questions.ts';
import type { SetupUndoJson } from './json.ts';
import { Journal, undoCommands, writePolicy } from './run-steps.ts';
import { setupSession, contextWithoutLimits, type Session, type SetupOptions } from './session.ts';

interface UndoOptions extends SetupOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

interface Undo {
  readonly what: string;
  readonly run: () => Promise<Result<unknown, Problem>>;
}

async function undo(_options: UndoOptions, command: Command): Promise<ExitCode> {
  // "setup" has options of the same names, and takes their values wherever they stand.
  const options = command.optsWithGlobals<UndoOptions>();
  const found = await setupSession(options, command);
  if (typeof found === 'number') return found;
  const lock = lockSetup(found.paths);
  if (!lock.ok) return failWith(lock.error);
  using _lock = lock.value;
  const read = readRecord(found.paths, defaultAnswers(found.look));
  if (!read.ok) return failWith(read.error);
  if (read.value === undefined) {
    const boot = bootSteps(found.paths);
    if (boot.length > 0) return undoAll(boot, options);
    if (options.json === true)
      printJson({ dryRun: false, undone: [], problems: [] } satisfies SetupUndoJson);
    else print('Setup has done nothing on this host');
    return exitCodes.done;
  }
  const session = { ...found, file: read.value.policyFile };
  const context = await contextWithoutLimits(session, read.value.answers);
  const journal = new Journal(session, read.value);
  return undoAll(await undoSteps(session, journal, context), options);
}

/** Shows the list, asks, and carries it out. */
async function undoAll(list: readonly Undo[], options: UndoOptions): Promise<ExitCode> {
  if (options.json !== true)
    print(`This undoes:\n${list.map(({ what }) => `  ${what}`).join('\n')}`);
  if (options.dryRun === true) {
    const undone = list.map(({ what }) => what);
    if (options.json === true)
      printJson({ dryRun: true, undone, problems: [] } satisfies SetupUndoJson);
    return exitCodes.done;
  }
  if (options.yes !== true) {
    if (options.json === true || !canAsk()) {
      printError({
        action: 'undo the setup',
        reason: 'nobody can be asked here',
        hint: 'add --yes',
      });
      return exitCodes.usage;
    }
    if (!(await confirm('Go on?'))) return exitCodes.failed;
  }
  return carryOut(list, options);
}

/** Returns what undoes the setup. A host on which nothing of Bulkhead was before has nothing of it afterwards. */
async function undoSteps(
  session: Session,
  journal: Journal,
  context: StepContext,
): Promise<readonly Undo[]> {
  const { paths, capabilities } = session;
  const { record } = journal;
  const policy = { what: 'the policy', run: () => Promise.resolve(givePolicyBack(record, paths)) };
  if (!record.wasUsed) {
    const options = { kill: false, keepHistory: false };
    const released = await releaseSteps(capabilities, paths, options);
    return [
      ...released.map(({ what, run }) => ({ what, run: async () => firstOf(await run()) })),
      policy,
      {
        what: 'files of Bulkhead',
        run: () => Promise.resolve(firstOf(removeOwnFiles(paths, options))),
      },
    ];
  }
  const begun = steps.filter(({ key }) => isBegun(record.steps[key]?.state));
  const units = [...new Set(begun.flatMap((step) => step.reloads?.(context) ?? []))];
  return [
    ...bootSteps(paths),
    ...allowed(session, journal, context),
    ...begun.toReversed().flatMap((step) => undoOf(step, session, journal, context)),
    policy,
    { what: 'limits that the policy did not have', run: () => applyAgain(session, record) },
    ...(units.length === 0
      ? []
      : [{ what: `jails of ${units.join(', ')}`, run: () => reloadUnits(units) }]),
    {
      what: 'the record of the setup',
      run: () => {
        removeIfThere(recordFile(paths));
        return Promise.resolve(ok(undefined));
      },
    },
  ];
}

/** Boot options are undone with the rest, for the next reboot. */
const bootSteps = (paths: Session['paths']): readonly Undo[] =>
  undoBootOptions(paths).map(({ what, run }) => ({
    what,
    run: async () => firstOf((await run?.()) ?? []),
  }));

/** Strict placement goes first: it would refuse processes that the other steps move out of their cgroups. */
function allowed(session: Session, journal: Journal, context: StepContext): readonly Undo[] {
  const { steps: done, raised } = journal.record;
  if (!isBegun(done['placement']?.state) && !raised.includes('strict placement')) return [];
  const edit = (text: string) => setElement(text, [{ name: 'placement' }], { strict: 'no' });
  const run = async () => {
    const edited = writePolicy(session, journal, { edit }, context);
    return edited.ok ? runCommand(['apply', session.file], session.paths) : edited;
  };
  return [{ what: 'strict placement', run }];
}

const isBegun = (state: StepRecord['state'] | undefined) => state === 'started' || state === 'done';

/** Undoes a step for the tenant that it was tried on, and marks it, so that a second run goes on after it. */
function undoOf(
  step: Step,
  session: Session,
  journal: Journal,
  context: StepContext,
): readonly Undo[] {
  const { tenant } = journal.record.steps[step.key] ?? {};
  const own = tenant === undefined ? context : { ...context, canary: tenant };
  const commands = undoCommands(step, own, journal.record);
  if (commands.length === 0) return [];
  const run = async () => {
    const done = await runCommands(commands, session.paths);
    return done.ok ? journal.mark(step, 'undone') : done;
  };
  return [{ what: step.title, run }];
}

const firstOf = ([first]: readonly Problem[]): Result<void, Problem> =>
  first === undefined ? ok(undefined) : fail(first);

/** Gives the policy back. One that somebody has changed stays; the text of before is then put next to it. */
function givePolicyBack(
  { policyFile, policyBefore, policyWritten }: SetupRecord,
  paths: Session['paths'],
): Result<void, Problem> {
  const restored = restorePolicy(
    { file: policyFile, paths },
    { before: policyBefore, written: policyWritten },
  );
  if (!restored.ok) return restored;
  if (restored.value) return ok(undefined);
  const aside = `${policyFile}.before-setup`;
  const kept = policyBefore === null ? ok(undefined) : replaceFile(aside, policyBefore, 0o600);
  if (!kept.ok) return kept;
  const where = policyBefore === null ? '' : `; the one of before is in ${aside}`;
  printError(`${policyFile} was changed after setup wrote it, and stays as it is${where}`);
  return ok(undefined);
}

const applyAgain = ({ paths }: Session, { policyFile, policyBefore }: SetupRecord) =>
  policyBefore === null ? runCommand(['release'], paths) : runCommand(['apply', policyFile], paths);

async function carryOut(list: readonly Undo[], { json }: UndoOptions): Promise<ExitCode> {
  const undone: string[] = [];
  const problems: Problem[] = [];
  for (const { what, run } of list) {
    const done = await run();
    if (!done.ok) {
      problems.push(done.error);
      // What comes later would remove the record, by which a second run goes on.
      break;
    }
    undone.push(what);
    if (json !== true) print(`Undone: ${what}`);
  }
  if (json === true) printJson({ dryRun: false, undone, problems } satisfies SetupUndoJson);
  for (const each of problems) printError(each);
  if (problems.length === 0) return exitCodes.done;
  return failWith('not everything is undone; run the same command again to continue');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--dry-run', 'list what would be undone; changes nothing')
      .option('-y, --yes', 'do not ask')
      .option('--json', 'print as JSON; needs --yes or --dry-run')
      .addHelpText(
        'after',
        examples(
          ['bulkhead setup undo --dry-run', 'what would be undone'],
          ['bulkhead setup undo', 'the server as before the setup'],
        ),
      )
      .action(run(undo));
  },
};
