/** Limits that another program has on this host, for the policy. */
import { count, listSome } from '../../../packages/base/list.ts';
import { formatQuantity } from '../../../packages/base/quantity.ts';
import { limitAttribute } from '../../limits/limits.ts';
import type { ImportedLimits } from '../../policy/elements/add-limits.ts';
import type { LimitBlock } from '../../policy/document.ts';
import type { Answers } from './answers.ts';

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
    tenants: tenants
      .map(withoutEntries)
      .filter((each) => each.values.size > 0 || each.package !== undefined),
  };
}

const isOfEntries = (key: string) => key.startsWith('entries.');

const withoutEntries = <Block extends LimitBlock>(block: Block): Block => ({
  ...block,
  values: new Map([...block.values].filter(([key]) => !isOfEntries(key))),
});

export function formatImported(imported: ImportedLimits): string {
  const { from, namesMembers, remarks } = imported;
  const parts = namesMembers ? partsWithMembers(imported) : partsWithoutMembers(imported);
  const all = parts.length === 0 ? `all from ${from}` : `${parts.join(' and ')}; all from ${from}`;
  return [all, ...remarks].join('; ');
}

function partsWithoutMembers({ tenants, packages }: ImportedLimits): readonly string[] {
  return [
    ...(tenants.length === 0 ? [] : [`${count(tenants.length, 'tenant')} with limits of its own`]),
    ...(packages.length === 0
      ? []
      : [
          `${count(packages.length, 'package')}, whose members the file does not name ("bulkhead set NAME package=…")`,
        ]),
  ];
}

function partsWithMembers({ tenants, packages }: ImportedLimits): readonly string[] {
  const members = tenants.filter((each) => each.package !== undefined);
  const own = tenants.filter(({ values }) => values.size > 0);
  return [
    ...(packages.length === 0
      ? []
      : [`${count(packages.length, 'package')} (${listSome(packages.map(formatPackage))})`]),
    `${count(members.length, 'tenant')} with its package`,
    ...(own.length === 0 ? [] : [`${count(own.length, 'tenant')} with limits of its own`]),
  ];
}

function formatPackage({ name, values }: ImportedLimits['packages'][number]): string {
  const limits = [...values].map(
    ([key, { value }]) =>
      `${key.replace('.', ' ')} ${formatQuantity(limitAttribute(key).kind, value)}`,
  );
  return `${name.value}: ${limits.length === 0 ? 'the defaults' : limits.join(' ')}`;
}
