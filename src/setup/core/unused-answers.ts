/** Answers without effect: by the level, the host or the policy, no step of the plan uses them. */
import { hasElement } from '../../policy/elements/edit-elements.ts';
import type { Answers } from './answers.ts';
import { lacksEntries } from './limit-edits.ts';
import { stepsOfAnswers, type PlannedStep } from './plan.ts';
import type { SetupRecord } from './record.ts';
import type { StepContext } from './step.ts';
import { alertsPath } from './steps.ts';

type Name = keyof typeof stepsOfAnswers;

const stepsUsing: Readonly<Record<Name, readonly string[]>> = {
  ...stepsOfAnswers,
  jails: ['jails', 'jails-new'],
};
const names = Object.keys(stepsOfAnswers) as readonly Name[];

/** The effect of a level that has no step for the answer. */
const ofLevel: Readonly<Partial<Record<Name, string>>> = {
  entries: 'limits no requests',
  jails: 'sets none',
};

interface Run {
  /** The names of the answers in the file, or those that differ from the defaults. */
  readonly given: ReadonlySet<string>;
  readonly context: StepContext;
  readonly planned: readonly PlannedStep[];
  readonly record: Pick<SetupRecord, 'steps'> | undefined;
}

/** Returns a note for each given answer without effect. An answer that wants nothing has none. */
export function unusedAnswers({ given, context, planned, record }: Run): readonly string[] {
  const { answers } = context;
  const wanted = names.filter(
    (name) => given.has(name) && answers[name] !== 'none' && String(answers[name]) !== '',
  );
  return wanted.flatMap((name) => {
    const keys = stepsUsing[name];
    // Another answer than in the last run has its own note.
    if (keys.some((key) => record?.steps[key]?.state === 'done')) return [];
    const steps = planned.filter(({ step }) => keys.includes(step.key));
    const reason = unplanned(name, steps, answers) ?? keptByPolicy(name, context);
    return reason === undefined ? [] : [`The answer "${name}" has no effect: ${reason}`];
  });
}

function unplanned(
  name: Name,
  steps: readonly PlannedStep[],
  { level }: Answers,
): string | undefined {
  const [first] = steps;
  if (first === undefined) return `level ${level} ${ofLevel[name] ?? 'has no step for it'}`;
  return steps.every(({ obstacle }) => obstacle !== undefined) ? first.obstacle : undefined;
}

/** Steps add to a policy what it lacks, and change nothing that it has. */
function keptByPolicy(
  name: Name,
  { text, file, answers, imported }: StepContext,
): string | undefined {
  if (text === undefined) return undefined;
  if (name === 'alerts')
    return hasElement(text, alertsPath) ? `${file} has alerts, which stay` : undefined;
  // These also choose among the limits of another program.
  if (imported !== undefined) return undefined;
  if (name === 'tenants' || name === 'except') return `${file} names the tenants already`;
  return name === 'entries' && !lacksEntries(text, answers)
    ? `${file} limits requests already`
    : undefined;
}
