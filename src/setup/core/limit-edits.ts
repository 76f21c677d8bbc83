/** The limits that steps set: those that the policy lacks, from a set for this host or from another program's file. */
import { fail, ok } from '../../../packages/base/result.ts';
import type { Assignment } from '../../policy/assignment.ts';
import { setLimits } from '../../policy/edit.ts';
import { addLimits } from '../../policy/elements/add-limits.ts';
import { parsePolicy } from '../../policy/parse.ts';
import { formatImported } from './imported-limits.ts';
import type { LimitChoice } from './answers.ts';
import { formatLimitSet, limitSet, type LimitSetName } from './limit-sets.ts';
import type { StepContext } from './step.ts';

/** Returns the limits that the defaults of the policy lack. */
function lacking(text: string, wanted: readonly Assignment[]): readonly Assignment[] {
  const there = parsePolicy('', text).document?.defaults?.values;
  return wanted.filter((each) => each.kind === 'limit' && there?.has(each.key) !== true);
}

/** Returns the limits of each tenant; with other programs' limits, those of tenants without their own. */
function wantedDefaults({ answers: { limits }, look, imported }: StepContext) {
  if (limits !== 've.cfg') return limitSet(setOf(limits), look);
  return imported?.ok === true ? imported.value.defaults : [];
}

const setOf = (limits: Exclude<LimitChoice, 've.cfg'>): LimitSetName =>
  limits === 'medium' || limits === 'panel-medium' ? 'medium' : 'starter';

export function limitChanges(context: StepContext): string {
  const { file, text = '', imported } = context;
  const missing = formatLimitSet(lacking(text, wantedDefaults(context)));
  const defaults = `adds to <defaults> in ${file}: ${missing === '' ? 'nothing' : missing}`;
  return imported?.ok === true ? `${defaults}; ${formatImported(imported.value)}` : defaults;
}

export const entriesLimit = ({ entries }: StepContext['answers']): readonly Assignment[] => [
  { kind: 'limit', key: 'entries.limit', value: String(entries) },
];

/** Whether the defaults of the policy have no limit of requests. */
export const lacksEntries = (text: string, answers: StepContext['answers']): boolean =>
  lacking(text, entriesLimit(answers)).length > 0;

export function entriesChanges({ answers, file, text = '', imported }: StepContext): string {
  const isEntries = (each: Assignment) => each.kind === 'limit' && each.key === 'entries.limit';
  const isThere =
    !lacksEntries(text, answers) ||
    (imported?.ok === true && imported.value.defaults.some(isEntries));
  const edit = isThere ? '' : `adds <entries limit="${answers.entries}"> to ${file}; `;
  return `${edit}adds files to nginx or Apache, and reloads them`;
}

/** Sets the limits that the policy lacks. */
export function setLimitsOf(text: string, context: StepContext) {
  const { imported } = context;
  if (imported?.ok === false) return fail([imported.error]);
  const edited = setDefaults(text, wantedDefaults(context));
  return edited.ok && imported !== undefined ? addLimits(edited.value, imported.value) : edited;
}

/** Sets the limits among these that the defaults of the policy lack. */
export function setDefaults(text: string, wanted: readonly Assignment[]) {
  const limits = lacking(text, wanted);
  return limits.length === 0 ? ok(text) : setLimits(text, { kind: 'defaults' }, limits);
}
