/** The plan of a setup: its steps, and which of them are done or not possible. */
import type { Layer } from '../../../packages/base/layer.ts';
import type { Answers } from './answers.ts';
import { includes, type Level } from './levels.ts';
import { veCfgPath } from './look.ts';
import { isReported } from './reports.ts';
import type { SetupRecord } from './record.ts';
import { isBeyond, isReached, problemAfter, type Step, type StepContext } from './step.ts';

export interface PlannedStep {
  readonly step: Step;
  readonly state: 'to do' | 'done';
  /** The files, units and reloads on this host. */
  readonly changes: string;
  /** Why it is left out; absent if it is not. */
  readonly obstacle?: string;
}

export function planSteps(
  steps: readonly Step[],
  level: Level,
  context: StepContext,
  layers: readonly Layer[],
  record: SetupRecord | undefined,
): readonly PlannedStep[] {
  return stepsOf(steps, level).map((step) => {
    const obstacle =
      step.obstacle?.(context) ?? unavailable(step, layers) ?? raisedBefore(step, record);
    return {
      step,
      state: isDone(step, layers, record) ? 'done' : 'to do',
      changes: typeof step.changes === 'string' ? step.changes : step.changes(context),
      ...(obstacle === undefined ? {} : { obstacle }),
    };
  });
}

/** Returns the steps that a setup of this level has. */
export const stepsOf = (steps: readonly Step[], level: Level): readonly Step[] =>
  steps.filter(
    (each) => includes(level, each.level) && (each.onlyAtItsLevel !== true || each.level === level),
  );

/** The steps that follow an answer only once. */
export const stepsOfAnswers = {
  tenants: ['policy'],
  except: ['policy'],
  limits: ['limits-observed', 'limits'],
  entries: ['entries'],
  jails: ['jails'],
  alerts: ['alerts'],
} as const satisfies Partial<Record<keyof Answers, readonly string[]>>;

/** Returns a note for each answer that is another one than in the last run, and whose step is done already. */
export function withoutEffect(
  answers: Answers,
  record: Pick<SetupRecord, 'answers' | 'steps' | 'policyFile'> | undefined,
  planned: readonly PlannedStep[],
): readonly string[] {
  if (record === undefined) return [];
  const isOver = (key: string) =>
    record.steps[key]?.state === 'done' &&
    planned.some(({ step, state }) => step.key === key && state === 'done');
  return Object.entries(stepsOfAnswers).flatMap(([name, keys]) => {
    const of = (given: Answers) =>
      [given[name as keyof Answers]].flat().map(String).sort().join(',');
    if (of(answers) === of(record.answers) || !keys.some(isOver)) return [];
    const instead =
      of(answers) === 've.cfg'
        ? `"bulkhead import ${veCfgPath}" prints its limits, to be added to ${record.policyFile}`
        : `change ${record.policyFile} instead`;
    return [
      `"${name}" was "${of(record.answers)}" in the last run, and "${of(answers)}" has no effect: its step is done; ${instead}`,
    ];
  });
}

/**
 * Whether a step has nothing to do: setup did it and its layers have not slipped back, or the host had them before. One that
 * was interrupted is done again.
 */
export function isDone(
  step: Step,
  layers: readonly Layer[],
  record: Pick<SetupRecord, 'steps'> | undefined,
): boolean {
  if (step.report !== undefined) return isReported(step.key, step.report, record);
  const state = record?.steps[step.key]?.state;
  if (isBeyond(step, layers) && (state !== 'started' || isReached(step, layers))) return true;
  if (state === 'done') return problemAfter(step, layers) === undefined;
  return state === undefined && step.runsOnce !== true && isReached(step, layers);
}

/** Returns why setup leaves a guard alone that `next` has let refuse: it would only report again. */
export function raisedBefore(
  { layers: keys }: Step,
  record: Pick<SetupRecord, 'raised'> | undefined,
): string | undefined {
  const key = keys.find((each) => record?.raised.includes(each));
  return key === undefined ? undefined : `it refused before: see bulkhead setup status for ${key}`;
}

/**
 * Returns why this host cannot have any of the step's layers; undefined if it can have one. A guard whose state is unknown
 * stays as it is: it may refuse already.
 */
export function unavailable(
  { layers: keys, startsOpen }: Step,
  layers: readonly Layer[],
): string | undefined {
  const own = layers.filter(({ key }) => keys.includes(key));
  const [first] = own;
  const cannot = ({ state }: Layer) =>
    state === 'unavailable' || (startsOpen === true && state === 'unknown');
  return first !== undefined && own.every(cannot) ? first.reason : undefined;
}
