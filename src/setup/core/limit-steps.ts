/** The steps that give tenants limits: only observed, or enforced. */
import { fail, ok } from '../../../packages/base/result.ts';
import type { Assignment } from '../../policy/assignment.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import { setLimits } from '../../policy/edit.ts';
import { addLimits } from '../../policy/elements/add-limits.ts';
import { setElement } from '../../policy/elements/edit-elements.ts';
import { parsePolicy } from '../../policy/parse.ts';
import { formatImported } from './imported-limits.ts';
import { formatLimitSet, limitSet } from './limit-sets.ts';
import type { Step, StepContext } from './step.ts';

const shared = {
  commands: () => [],
  undo: () => [],
  layers: ['limit cpu', 'limit memory', 'limit processes'],
} as const;

export const limitSteps: readonly Step[] = [
  {
    ...shared,
    key: 'limits-observed',
    level: 'observe',
    onlyAtItsLevel: true,
    title: 'Compare what tenants use with limits, and enforce none',
    changes: (context) => `${limitChanges(context)}; sets limits="observe" in <host>`,
    customers: 'nothing',
    obstacle: ({ text }) =>
      text !== undefined && hasLimitsInForce(documentOf(text))
        ? 'the policy has limits, which stay in force'
        : undefined,
    edit(text, context) {
      const edited = setLimitsOf(text, context);
      return edited.ok ? setElement(edited.value, host, { limits: 'observe' }) : edited;
    },
  },
  {
    ...shared,
    key: 'limits',
    level: 'limit',
    enforces: true,
    title: 'Limit CPU, memory, processes and disk I/O of every tenant',
    changes: (context) =>
      context.text !== undefined && isObserved(documentOf(context.text))
        ? `${limitChanges(context)}; sets limits="enforce" in <host>`
        : limitChanges(context),
    customers: 'a site slows down, or fails, when it needs more than its limits',
    edit(text, context) {
      const edited = setLimitsOf(text, context);
      return edited.ok && isObserved(documentOf(text))
        ? setElement(edited.value, host, { limits: 'enforce' })
        : edited;
    },
  },
];

const host = [{ name: 'host' }] as const;

const documentOf = (text: string) => parsePolicy('', text).document;

const isObserved = (document: PolicyDocument | undefined) =>
  document?.limitMode?.value === 'observe';

/** Whether observing would lift limits that are enforced now. */
function hasLimitsInForce(document: PolicyDocument | undefined): boolean {
  if (document === undefined || isObserved(document)) return false;
  const { defaults, packages, resellers, tenants } = document;
  const everyone = [...tenants, ...resellers.flatMap((each) => each.tenants)];
  const sites = everyone.flatMap((each) => each.sites);
  return [...(defaults === undefined ? [] : [defaults]), packages, resellers, everyone, sites]
    .flat()
    .some(({ values }) => values.size > 0);
}

/** Returns the limits that the defaults of the policy lack. */
export function lacking(text: string, wanted: readonly Assignment[]): readonly Assignment[] {
  const there = parsePolicy('', text).document?.defaults?.values;
  return wanted.filter((each) => each.kind === 'limit' && there?.has(each.key) !== true);
}

/** Returns the limits of each tenant; with other programs' limits, those of tenants without their own. */
function wantedDefaults({ answers: { limits }, look, imported }: StepContext) {
  if (limits !== 've.cfg') return limitSet(limits, look);
  return imported?.ok === true ? imported.value.defaults : [];
}

function limitChanges(context: StepContext): string {
  const { file, text = '', imported } = context;
  const missing = formatLimitSet(lacking(text, wantedDefaults(context)));
  const defaults = `adds to <defaults> in ${file}: ${missing === '' ? 'nothing' : missing}`;
  return imported?.ok === true ? `${defaults}; ${formatImported(imported.value)}` : defaults;
}

/** Sets the limits that the policy lacks. */
function setLimitsOf(text: string, context: StepContext) {
  const { imported } = context;
  if (imported?.ok === false) return fail([imported.error]);
  const edited = setDefaults(text, wantedDefaults(context));
  return edited.ok && imported !== undefined ? addLimits(edited.value, imported.value) : edited;
}

/** Sets those of the limits that the defaults of the policy lack. */
export function setDefaults(text: string, wanted: readonly Assignment[]) {
  const limits = lacking(text, wanted);
  return limits.length === 0 ? ok(text) : setLimits(text, { kind: 'defaults' }, limits);
}
