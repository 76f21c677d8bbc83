/** `bulkhead setup`: looks at the host, asks, shows one plan, and carries it out step by step. */
import type { Command } from 'commander';
import type { Loaded } from '../../apply/load-policy.ts';
import { readLaunch } from '../../host/cgroups/launch-file.ts';
import { canAsk, confirm } from '../../cli/confirm.ts';
import { countLayers } from '../../../packages/base/layer.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { failWith, print, printError, printJson } from '../../cli/shared/output.ts';
import { createFile } from '../../sys/files/edited-file.ts';
import { readForeignFile, readPolicyFile } from '../../host/policy-file.ts';
import type { Cause, Problem } from '../../../packages/base/problem.ts';
import { namesIn } from '../../../packages/base/io/read.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { contradictions } from '../core/conflicts.ts';
import { answersText, changedAnswers, parseAnswers, type Answers } from '../core/answers.ts';
import type { Level } from '../core/levels.ts';
import type { HostLook } from '../core/look.ts';
import { planSteps, stepsOf, withoutEffect, type PlannedStep } from '../core/plan.ts';
import type { SetupRecord } from '../core/record.ts';
import type { StepContext } from '../core/step.ts';
import { steps } from '../core/steps.ts';
import { unusedAnswers } from '../core/unused-answers.ts';
import { readHostFacts } from '../../host/accounts/accounts.ts';
import { listenConflicts, versionConflict } from '../io/conflicts.ts';
import { lockSetup } from '../io/lock.ts';
import { askQuestions, defaultAnswers, formatAnswers } from './questions.ts';
import type { SetupJson, SetupStepJson } from './json.ts';
import { Journal, runSteps, type Progress } from './run-steps.ts';
import {
  commandsInForce,
  layersNow,
  loadNow,
  setupSession,
  stepContext,
  withRecord,
  type Session,
  type SetupOptions,
} from './session.ts';
import { printLayers, printLook, printNotes, printPlan, progressOf } from './text.ts';

export interface StartOptions extends SetupOptions {
  readonly answers?: string;
  readonly level?: Level;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly writeAnswers?: string;
}

/** Longer than "setup status" holds it. */
const lockMs = 10_000;

const silent: Progress = { begins: () => undefined, ends: () => undefined };

export async function start(options: StartOptions, command: Command): Promise<ExitCode> {
  const found = await setupSession(options, command);
  if (typeof found === 'number') return found;
  const usage = usageProblem(options, found.look);
  if (usage !== undefined) {
    printError(usage);
    return exitCodes.usage;
  }
  if (options.dryRun === true) return plan(options, found, command);
  // Held while questions are asked, too: whoever waits for an answer has seen the host as it is then.
  const lock = lockSetup(found.paths, lockMs);
  if (!lock.ok) return failWith(lock.error);
  using _lock = lock.value;
  return plan(options, found, command);
}

async function plan(options: StartOptions, found: Session, command: Command): Promise<ExitCode> {
  const recorded = withRecord(found, command);
  if (!recorded.ok) return failWith(recorded.error);
  const { session, record } = recorded.value;
  const conflicts = await conflictsOf(session, loadNow(session));
  for (const each of conflicts) printError({ action: 'set up this host', ...each });
  if (conflicts.length > 0) return exitCodes.failed;
  if (options.json !== true) printLook(session.look);
  const answered = await answersFor(options, session, record);
  if (typeof answered === 'number') return answered;
  const { answers, given } = answered;
  // Questions may have been asked for an hour.
  const loaded = loadNow(session);
  const layers = await layersNow(session, loaded);
  if (!layers.ok) return failWith(layers.error);
  const known = readHostFacts(session.paths, answers.except).accounts.map(({ user }) => user);
  const context = await stepContext(session, answers, loaded);
  const limits = importProblem(context, record);
  const wrong = contradictions(answers, { known, layers: layers.value, ...limits });
  if (wrong.length > 0) return refuse(options.answers, wrong);
  const planned = planSteps(steps, answers.level, context, layers.value, record);
  const notes = [
    ...withoutEffect(answers, record, planned),
    ...unusedAnswers({ given, context, planned, record }),
  ];
  if (options.json !== true) {
    print(`\nPlan (${formatAnswers(answers)}):\n`);
    printPlan(planned);
    printNotes(notes);
  }
  if (options.dryRun === true) {
    if (options.json === true) {
      const steps = planned.map((each) => stepJson(each, record));
      const rest = { dryRun: true, steps, layers: layers.value, problems: [], notes };
      printSetup(session, answers, rest);
      return exitCodes.done;
    }
    print('\nNothing was changed');
    return exitCodes.done;
  }
  if (!(await isWanted(options))) return exitCodes.failed;
  return carryOut(session, options, answers, record, notes);
}

/** Returns why the limits of another program cannot be taken over, unless that is done. */
function importProblem(
  { imported }: StepContext,
  record: SetupRecord | undefined,
): { readonly limits?: Cause } {
  if (imported === undefined || imported.ok || record?.steps['limits']?.state === 'done') return {};
  return { limits: imported.error };
}

/** Returns what is wrong with the options: without a terminal, answers must be given. */
function usageProblem(options: StartOptions, { accounts }: HostLook): Problem | undefined {
  if (options.try !== undefined && !accounts.includes(options.try))
    return {
      action: 'try changes on',
      object: options.try,
      reason: 'no account of that name is in the range of uids',
      hint: 'name a tenant',
    };
  const isGiven = options.answers !== undefined || options.yes === true || options.dryRun === true;
  if (isGiven || (canAsk() && options.json !== true)) return undefined;
  const reason = 'nobody can be asked here';
  return { action: 'set up this host', reason, hint: 'add --answers FILE, --yes or --dry-run' };
}

/** Answers, and the names of those that somebody has given. */
interface Answered {
  readonly answers: Answers;
  readonly given: ReadonlySet<string>;
}

/** Returns the answers from the file, the last run, or the terminal. */
async function answersFor(
  options: StartOptions,
  { look }: Session,
  record: SetupRecord | undefined,
): Promise<Answered | ExitCode> {
  const given = options.level === undefined ? {} : { level: options.level };
  const defaults = { ...(record?.answers ?? defaultAnswers(look)), ...given };
  if (options.answers === undefined) {
    const isAsked = options.yes !== true && options.json !== true && canAsk();
    if (!isAsked) return { answers: defaults, given: new Set() };
    const answers = await askQuestions(look, defaults);
    if (answers === undefined) return exitCodes.failed;
    return { answers, given: new Set(changedAnswers(answers, defaults)) };
  }
  const read = readForeignFile(options.answers);
  if (!read.ok) return failWith(read.error);
  const parsed = parseAnswers(read.value);
  if (!parsed.ok) return refuse(options.answers, parsed.error);
  return {
    answers: { ...defaults, ...parsed.value, ...given },
    given: new Set(Object.keys(parsed.value)),
  };
}

function refuse(file: string | undefined, mistakes: readonly Cause[]): ExitCode {
  const object = file === undefined ? {} : { object: file };
  for (const each of mistakes) printError({ action: 'use the answers', ...object, ...each });
  return exitCodes.usage;
}

/** Returns why nothing can be set up here, whatever the answers are. */
async function conflictsOf(
  { paths }: Session,
  { document, policy }: Loaded,
): Promise<readonly Cause[]> {
  const version = document && versionConflict(document);
  const listen = await listenConflicts(paths, policy?.agent.listen);
  return version === undefined ? listen : [version, ...listen];
}

async function isWanted({ yes, answers, json }: StartOptions): Promise<boolean> {
  if (yes === true || answers !== undefined || json === true) return true;
  return confirm('\nDo this?');
}

async function carryOut(
  session: Session,
  options: StartOptions,
  answers: Answers,
  record: SetupRecord | undefined,
  notes: readonly string[],
): Promise<ExitCode> {
  const journal = new Journal(session, record ?? (await firstRecord(session, answers)));
  const begun = journal.update({ answers });
  if (!begun.ok) return failWith(begun.error);
  const wanted = stepsOf(steps, answers.level);
  const progress = options.json === true ? silent : progressOf(wanted.length);
  if (options.json !== true) print('');
  const ran = await runSteps(session, journal, wanted, progress);
  if (!ran.ok) return failWith(ran.error);
  return finish(session, options, answers, { problems: ran.value, notes }, journal.record);
}

/** Describes the host before the first step, so that undo can give it back. */
async function firstRecord(session: Session, answers: Answers): Promise<SetupRecord> {
  const { paths, file } = session;
  const before = readPolicyFile(file);
  const usedBefore = await commandsInForce(session);
  // A policy alone is only a file.
  const isThere =
    readLaunch(paths.runtime) !== undefined ||
    namesIn(paths.state).some((each) => !each.startsWith('setup-boot'));
  return {
    answers,
    wasUsed: isThere || usedBefore.length > 0,
    policyFile: file,
    policyBefore: before.ok ? before.value : null,
    policyWritten: [],
    usedBefore,
    raised: [],
    steps: {},
    quiet: {},
  };
}

async function finish(
  session: Session,
  options: StartOptions,
  answers: Answers,
  { problems, notes }: Pick<SetupJson, 'problems' | 'notes'>,
  record?: SetupRecord,
): Promise<ExitCode> {
  const loaded = loadNow(session);
  const layers = await layersNow(session, loaded);
  if (!layers.ok) return failWith(layers.error);
  const kept = keepAnswers(options.writeAnswers, answers);
  if (!kept.ok) return failWith(kept.error);
  if (options.json === true) {
    const context = await stepContext(session, answers, loaded);
    const planned = planSteps(steps, answers.level, context, layers.value, record);
    const done = planned.map((each) => stepJson(each, record));
    const rest = { dryRun: false, steps: done, layers: layers.value, problems, notes };
    printSetup(session, answers, rest);
  } else {
    print('');
    printLayers(layers.value, record);
    for (const each of problems) printError(each);
    print(
      'All attacks: bulkhead prove; the ladder: bulkhead setup status; back: bulkhead setup undo',
    );
  }
  return problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

const printSetup = (
  { look: host }: Session,
  answers: Answers,
  rest: Omit<SetupJson, 'host' | 'answers' | 'counts'>,
) => printJson({ host, answers, ...rest, counts: countLayers(rest.layers) } satisfies SetupJson);

function keepAnswers(file: string | undefined, answers: Answers): Result<void, Problem> {
  if (file === undefined) return ok(undefined);
  return createFile(file, answersText(answers), { overwrite: true });
}

const stepJson = (
  { step, state, changes, obstacle }: PlannedStep,
  record: SetupRecord | undefined,
): SetupStepJson => ({
  key: step.key,
  level: step.level,
  title: step.title,
  changes,
  customers: step.customers,
  reports: step.report !== undefined,
  state: obstacle === undefined ? state : 'left out',
  obstacle: obstacle ?? null,
  result: record?.steps[step.key]?.reason ?? null,
});
