/** The steps that give tenants limits: only observed, or enforced. */
import { ok } from '../../../packages/base/result.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import { setElement } from '../../policy/elements/edit-elements.ts';
import { parsePolicy } from '../../policy/parse.ts';
import { limitChanges, setLimitsOf } from './limit-edits.ts';
import type { Step, StepContext } from './step.ts';

/** The policy is applied as soon as it follows the panel: what it follows must be there. */
const readPanel = ({ imported, policy }: StepContext) =>
  imported?.ok === true && imported.value.panel?.isThere === undefined && imported.value.panel
    ? [['panel', 'sync', ...policy]]
    : [];

const shared = {
  before: readPanel,
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
      if (hasLimitsInForce(documentOf(text))) return ok(text);
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
