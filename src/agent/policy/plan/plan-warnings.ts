/** Warnings about a change of the policy, from its text and from what tenants use now. */
import { availableParallelism, totalmem } from 'node:os';
import { count } from '../../../../packages/base/list.ts';
import type { Diagnostic } from '../../../policy/diagnostic.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { committedOf, isAboveLimit, replayRules } from '../../../usage/simulate.ts';
import type { Member } from '../../../usage/member.ts';
import type { Tick } from '../../../usage/tick.ts';
import type { PolicyWarning } from '../../api/policy-api.ts';
import type { MemberEntry, MemberIndex } from '../../sampling/member-index.ts';

export const namesMax = 20;

interface Compared {
  readonly before: MemberIndex;
  readonly after: MemberIndex;
  /** The last tick. */
  readonly tick: Tick;
  /** Whether the warnings may speak of the host. */
  readonly showsHost: boolean;
  readonly isShown: (entry: MemberEntry) => boolean;
}

export function warningsOf(
  compared: Compared,
  news: readonly Diagnostic[],
): readonly PolicyWarning[] {
  return [
    ...news.filter(({ severity }) => severity === 'warning').map(fromPolicy),
    ...removed(compared),
    ...inUse(compared),
    ...(compared.showsHost ? promised(compared) : []),
  ];
}

const fromPolicy = ({ message }: Diagnostic): PolicyWarning => ({
  kind: 'policy',
  tenants: [],
  tenantCount: 0,
  text: message,
});

const about = (
  kind: PolicyWarning['kind'],
  names: readonly string[],
  text: string,
  facts: Pick<PolicyWarning, 'limit' | 'overcommit'> = {},
): PolicyWarning => ({
  kind,
  tenants: names.slice(0, namesMax),
  tenantCount: names.length,
  ...facts,
  text,
});

function removed({ before, after, isShown }: Compared): readonly PolicyWarning[] {
  const names = [...before.entries.values()]
    .filter((each) => isShown(each) && each.who.kind !== 'site')
    .filter(({ who }) => !after.entries.has(who.member))
    .map(({ who }) => who.name);
  if (names.length === 0) return [];
  return [
    about('removed', names, `${count(names.length, 'tenant')} would have no limits any more`),
  ];
}

const words: Readonly<Partial<Record<LimitKey, string>>> = {
  'cpu.limit': 'CPU time',
  'memory.limit': 'memory',
  'processes.limit': 'processes',
  'database.cpu': 'database CPU time',
  'database.connections': 'database connections',
};

/** Warns of members that use more now than a limit that is lowered. */
function inUse({ before, after, tick, isShown }: Compared): readonly PolicyWarning[] {
  const rowOf = new Map<Member, number>(tick.members.map((member, row) => [member, row]));
  return (Object.keys(replayRules) as LimitKey[]).flatMap((key): readonly PolicyWarning[] => {
    const metrics = (replayRules[key] ?? []).map(({ metric }) => metric);
    const names = [...after.entries.values()].flatMap(({ who, limits, ...entry }) => {
      const limit = limits[key];
      const was = before.entries.get(who.member)?.limits[key] ?? Infinity;
      const row = rowOf.get(who.member);
      if (limit === undefined || limit >= was || row === undefined) return [];
      if (!isShown({ who, limits, ...entry })) return [];
      const used = Math.max(...metrics.map((metric) => tick.columns[metric][row] ?? 0));
      return isAboveLimit(used, limit) ? [who.name] : [];
    });
    if (names.length === 0) return [];
    const what = words[key] ?? key.replace('.', ' ');
    const some = `${count(names.length, 'tenant')} ${names.length === 1 ? 'uses' : 'use'} more ${what} now than the new limit`;
    return key === 'memory.limit'
      ? [
          about(
            'memory',
            names,
            `${some}: the kernel takes back page cache, and refuses if that is not enough`,
            { limit: key },
          ),
        ]
      : [about('in use', names, some, { limit: key })];
  });
}

/** Warns if more is promised to tenants than before, and than the host has. */
function promised({ before, after }: Compared): readonly PolicyWarning[] {
  const available: readonly (readonly [LimitKey, string, number])[] = [
    ['cpu.limit', 'CPU time', availableParallelism()],
    ['memory.limit', 'memory', totalmem()],
  ];
  return available.flatMap(([key, what, amount]): readonly PolicyWarning[] => {
    const [was, is] = [before, after].map((each) => committedOf(limitsOf(each, key), amount));
    if (was === undefined || is === undefined) return [];
    if (is.overcommit <= 1 || is.overcommit <= was.overcommit) return [];
    const [from, to] = [was, is].map(({ overcommit }) => overcommit.toFixed(1));
    const text = `Tenants would be promised ${to} times the ${what} of the host, and are promised ${from} times now`;
    const overcommit = { before: was.overcommit, after: is.overcommit };
    return [about('promised', [], text, { limit: key, overcommit })];
  });
}

const limitsOf = ({ entries }: MemberIndex, key: LimitKey) =>
  [...entries.values()].filter(({ who }) => who.kind === 'tenant').map(({ limits }) => limits[key]);
