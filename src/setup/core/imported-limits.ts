/** Limits that another program has on this host, for the policy. */
import { count } from '../../../packages/base/list.ts';
import type { AddedLimits } from '../../policy/elements/add-limits.ts';
import type { Assignment } from '../../policy/assignment.ts';
import type { LimitBlock } from '../../policy/document.ts';
import type { Answers } from './answers.ts';

export interface ImportedLimits extends AddedLimits {
  /** The file that has them. */
  readonly file: string;
  readonly defaults: readonly Assignment[];
}

type Chosen = Pick<Answers, 'tenants' | 'except' | 'entries'>;

/** Returns the limits without accounts that are no tenants, and without entries if nobody wants them. */
export function chosenLimits(limits: ImportedLimits, answers: Chosen): ImportedLimits {
  const { except, entries } = answers;
  const [first = 0, last = 0] = answers.tenants.split('-').map(Number);
  const isTenant = ({ uid, name: { value } }: ImportedLimits['tenants'][number]) =>
    uid >= first && uid <= last && (value.kind === 'uid' || !except.includes(value.user));
  const tenants = limits.tenants.filter(isTenant);
  if (entries !== 'none') return { ...limits, tenants };
  return {
    ...limits,
    defaults: limits.defaults.filter((each) => each.kind !== 'limit' || !isOfEntries(each.key)),
    packages: limits.packages.map(withoutEntries),
    tenants: tenants.map(withoutEntries).filter(({ values }) => values.size > 0),
  };
}

const isOfEntries = (key: string) => key.startsWith('entries.');

const withoutEntries = <Block extends LimitBlock>(block: Block): Block => ({
  ...block,
  values: new Map([...block.values].filter(([key]) => !isOfEntries(key))),
});

export function formatImported({ file, packages, tenants }: ImportedLimits): string {
  const parts = [
    ...(tenants.length === 0 ? [] : [`${count(tenants.length, 'tenant')} with limits of its own`]),
    ...(packages.length === 0
      ? []
      : [
          `${count(packages.length, 'package')}, whose members the file does not name ("bulkhead set NAME package=…")`,
        ]),
  ];
  return parts.length === 0 ? `all from ${file}` : `${parts.join(' and ')}; all from ${file}`;
}
