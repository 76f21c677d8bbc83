/** Runs the steps of a setup: each is recorded before it begins, checked afterwards, and undone alone if it fails. */
import type { Loaded } from '../../apply/load-policy.ts';
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { replacePolicy } from '../../apply/edit.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import { isDone, raisedBefore, unavailable } from '../core/plan.ts';
import { policyText } from '../core/policy-text.ts';
import type { Report, ReportResult } from '../core/reports.ts';
import type { SetupRecord, StepRecord } from '../core/record.ts';
import { problemAfter, type Step, type StepContext } from '../core/step.ts';
import type { Words } from '../core/words.ts';
import { createPolicy, digestOf, editForStep } from '../io/policy-edits.ts';
import { writeRecord } from '../io/record-file.ts';
import { askSites, compareAnswers, formatFailures } from '../io/requests.ts';
import { reloadUnits } from '../io/reload-units.ts';
import { runCommand, runCommands } from '../io/run-command.ts';
import { runReport } from '../io/run-report.ts';
import { layersNow, loadNow, nameOfCommand, stepContext, type Session } from './session.ts';

/** The end of one step, for whoever shows the progress. */
export type StepEnd =
  | { readonly kind: 'there already' }
  /** Done; sites that fail since then, which are not most of them. */
  | { readonly kind: 'done'; readonly reason?: string }
  /** The result of a step that changes nothing. */
  | ({ readonly kind: 'reported' } & ReportResult)
  | { readonly kind: 'skipped' | 'failed'; readonly reason: string };

export interface Progress {
  readonly begins: (step: Step, number: number) => void;
  readonly ends: (step: Step, end: StepEnd) => void;
}

/** The record of this run; it is on disk before and after each step. */
export class Journal {
  #record: SetupRecord;
  readonly #session: Session;
  /** The digest of the last text that a step was about to write, also into a policy that somebody else has changed. */
  lastText: string | undefined;

  constructor(session: Session, record: SetupRecord) {
    this.#session = session;
    this.#record = record;
  }

  get record(): SetupRecord {
    return this.#record;
  }

  update(change: Partial<SetupRecord>): Result<void, Problem> {
    this.#record = { ...this.#record, ...change };
    return writeRecord(this.#session.paths, this.#record);
  }

  mark(
    step: Pick<Step, 'key'>,
    state: StepRecord['state'],
    more: Pick<StepRecord, 'reason' | 'tenant'> = {},
  ): Result<void, Problem> {
    const entry = { state, at: new Date().toISOString(), ...more };
    const ended = state === 'started' ? {} : { pendingEdit: undefined };
    return this.update({ ...ended, steps: { ...this.#record.steps, [step.key]: entry } });
  }
}

/** Runs all steps in their order. A step that fails does not keep the others from running. */
export async function runSteps(
  session: Session,
  journal: Journal,
  steps: readonly Step[],
  progress: Progress,
): Promise<Result<readonly Problem[], Problem>> {
  const problems: Problem[] = [];
  for (const [index, step] of steps.entries()) {
    progress.begins(step, index + 1);
    const end = await runStep(session, journal, step);
    if (!end.ok) return end;
    progress.ends(step, end.value);
    if (end.value.kind !== 'failed') continue;
    problems.push({ action: 'finish the step', object: step.title, reason: end.value.reason });
    // Without a policy there is nothing for the others to work with.
    if (step.key === 'policy') break;
  }
  return ok(problems);
}

/** Runs one step; fails only if that could not be recorded. */
async function runStep(
  session: Session,
  journal: Journal,
  step: Step,
): Promise<Result<StepEnd, Problem>> {
  const loaded = loadNow(session);
  const context = await stepContext(session, journal.record.answers, loaded);
  const unneeded = await whyNot(session, journal.record, step, context, loaded);
  if (!unneeded.ok) return unneeded;
  if (unneeded.value !== undefined) return ok(unneeded.value);
  const who =
    step.isForOne === true && context.canary !== undefined ? { tenant: context.canary } : {};
  const started = journal.mark(step, 'started', who);
  if (!started.ok) return started;
  if (step.report !== undefined) return report(session, journal, step, step.report, context);
  const kept = policyBefore(session, journal, step);
  const done = await act(session, journal, step, context);
  if (done.ok) {
    const remark = done.value === undefined ? {} : { reason: done.value };
    const marked = journal.mark(step, 'done', { ...who, ...remark });
    return marked.ok ? ok({ kind: 'done', ...remark }) : marked;
  }
  const undone = await undoStep(session, journal, step, context, kept);
  // What failed once fails again while it is undone.
  const reason = [...new Set([done.error, ...undone].map(formatProblem))].join('; ');
  // What could not be undone is left for the next run, and for undo.
  const marked = journal.mark(step, undone.length > 0 ? 'started' : 'failed', { ...who, reason });
  return marked.ok ? ok({ kind: 'failed', reason }) : marked;
}

/**
 * Returns the policy that an undo of the step gives back: of before a run that was killed, if nobody has changed the file
 * since; undefined if there is none.
 */
function policyBefore({ file }: Session, journal: Journal, step: Step): string | undefined {
  const now = readPolicyFile(file);
  if (!now.ok) return undefined;
  const killed = killedEdit(journal.record, step.key, now.value);
  journal.lastText = killed?.written;
  return killed?.before ?? now.value;
}

/** Returns the edit of a run of the step that was killed, if it is the last one of the policy. */
const killedEdit = ({ pendingEdit }: SetupRecord, key: string | undefined, text: string) =>
  pendingEdit?.step === key && pendingEdit?.written === digestOf(text) ? pendingEdit : undefined;

/** Runs a step that only reports. A result that is not as wanted is tried again by the next run. */
async function report(
  { paths }: Session,
  journal: Journal,
  step: Step,
  { command, read }: Report,
  { answers, policy }: StepContext,
): Promise<Result<StepEnd, Problem>> {
  const result = await runReport({ read }, command(answers.level, policy), paths);
  const state = result.isGood ? 'done' : 'failed';
  const marked = journal.mark(step, state, { reason: result.text });
  return marked.ok ? ok({ kind: 'reported', ...result }) : marked;
}

/** Returns why there is nothing to do; undefined if the step is to be done. */
async function whyNot(
  session: Session,
  record: SetupRecord,
  step: Step,
  context: StepContext,
  loaded: Loaded,
): Promise<Result<StepEnd | undefined, Problem>> {
  const reason = step.obstacle?.(context) ?? missing(step, record);
  if (reason !== undefined) return ok({ kind: 'skipped', reason });
  const layers = await layersNow(session, loaded);
  if (!layers.ok) return layers;
  const impossible = unavailable(step, layers.value);
  if (impossible !== undefined) return ok({ kind: 'skipped', reason: impossible });
  if (isDone(step, layers.value, record)) return ok({ kind: 'there already' });
  const raised = raisedBefore(step, record);
  return ok(raised === undefined ? undefined : { kind: 'skipped', reason: raised });
}

/** Returns the reason if the step that must have worked has failed. */
function missing({ needs }: Step, { steps }: SetupRecord): string | undefined {
  const state = needs === undefined ? undefined : steps[needs]?.state;
  // It has begun if it could not be undone.
  if (state !== 'failed' && state !== 'started') return undefined;
  return 'it failed for the first tenant; --try NAME tries it on another one';
}

/** Does the step, and checks it. Returns a remark on sites that fail since then, if these are not most of them. */
async function act(
  session: Session,
  journal: Journal,
  step: Step,
  context: StepContext,
): Promise<Result<string | undefined, Problem>> {
  const all = step.asksSites === true ? [...context.sites] : [];
  const sites = new Map(
    step.isForOne === true ? all.filter(([name]) => name === context.canary) : all,
  );
  const before = await askSites(sites);
  const changed = await change(session, journal, step, context);
  if (!changed.ok) return changed;
  const { failures, isGeneral } = compareAnswers(before, await askSites(sites));
  if (isGeneral) return failed({ action: 'keep the sites', reason: formatFailures(failures) });
  const after = await layersNow(session);
  if (!after.ok) return after;
  const problem = problemAfter(step, after.value);
  if (problem !== undefined) return failed({ action: 'check it', reason: problem });
  return ok(failures.length === 0 ? undefined : formatFailures(failures));
}

async function change(
  session: Session,
  journal: Journal,
  step: Step,
  context: StepContext,
): Promise<Result<void, Problem>> {
  const prepared = await runCommands(step.before?.(context) ?? [], session.paths);
  if (!prepared.ok) return prepared;
  const edited =
    step.edit === undefined ? ok(undefined) : writePolicy(session, journal, step, context);
  if (!edited.ok) return edited;
  const applied =
    step.edit === undefined
      ? ok(undefined)
      : await runCommands([['apply', session.file]], session.paths);
  if (!applied.ok) return applied;
  const ran = await runCommands(step.commands(context), session.paths);
  return ran.ok ? reloadUnits(step.reloads?.(context) ?? []) : ran;
}

/** Edits the policy as the step wants it, and creates it if there is none. */
export function writePolicy(
  session: Session,
  journal: Journal,
  step: Pick<Step, 'edit'> & Partial<Pick<Step, 'key'>>,
  context: StepContext,
): Result<void, Problem> {
  const { file, reader } = session;
  const there = readPolicyFile(file);
  if (!there.ok && there.error.errno !== 'ENOENT') return there;
  const { policyWritten } = journal.record;
  const beforeStep = there.ok
    ? (killedEdit(journal.record, step.key, there.value)?.before ?? there.value)
    : '';
  const intend = (written: string, isOurs = true) => {
    journal.lastText = written;
    const { policyWritten: earlier, pendingEdit } = journal.record;
    return journal.update({
      policyWritten: isOurs ? [...earlier, written] : earlier,
      pendingEdit:
        there.ok && step.key !== undefined
          ? { step: step.key, before: beforeStep, written }
          : pendingEdit,
    });
  };
  if (!there.ok) {
    const text = policyText(context.answers);
    const intended = intend(digestOf(text));
    const created = intended.ok ? createPolicy(file, text) : intended;
    return created.ok ? editForStep(step, context, reader, session, intend) : created;
  }
  // Until setup writes for the first time, the administrator's latest text is the one to give back.
  const isFirst = policyWritten.length === 0;
  const noted = isFirst ? journal.update({ policyBefore: there.value }) : ok(undefined);
  if (!noted.ok) return noted;
  // What somebody else has changed must not be lost by an undo: it knows the file by the digests.
  const isOurs =
    isFirst ||
    there.value === journal.record.policyBefore ||
    policyWritten.includes(digestOf(there.value));
  return editForStep(step, context, reader, session, (digest) => intend(digest, isOurs));
}

/** Undoes a step that has failed: its commands, unless that was in force before, and its edit of the policy. */
async function undoStep(
  session: Session,
  journal: Journal,
  step: Step,
  context: StepContext,
  policy: string | undefined,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const words of undoCommands(step, context, journal.record)) {
    const ran = await runCommand(words, session.paths);
    if (!ran.ok) problems.push(ran.error);
  }
  const now = readPolicyFile(session.file);
  if (step.edit === undefined || policy === undefined || !now.ok || now.value === policy)
    return problems;
  // Somebody has changed it meanwhile.
  if (digestOf(now.value) !== journal.lastText) return problems;
  const restored = replacePolicy(session.file, session.paths, policy, 'setup undo');
  if (!restored.ok) return [...problems, restored.error];
  const applied = await runCommand(['apply', session.file], session.paths);
  const reloaded = await reloadUnits(step.reloads?.(context) ?? []);
  return [...problems, ...[applied, reloaded].flatMap((each) => (each.ok ? [] : [each.error]))];
}

/** Returns the commands that undo a step; none for what was in force before the setup. */
export const undoCommands = (
  step: Pick<Step, 'undo'>,
  context: StepContext,
  { usedBefore }: Pick<SetupRecord, 'usedBefore'>,
): readonly Words[] =>
  step.undo(context).filter((words) => !usedBefore.includes(nameOfCommand(words)));
