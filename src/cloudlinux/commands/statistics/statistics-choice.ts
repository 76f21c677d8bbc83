/** The selection that the options of cloudlinux-statistics make: fields, order and tenants. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { suggestion } from '../../../policy/diagnostic.ts';
import {
  allFaults,
  averageUse,
  databaseAverages,
  faultsOf,
  lveKeys,
  shareOfLimit,
  type LveKey,
  type LveUse,
} from '../../core/lve-usage.ts';

export interface StatisticsOptions {
  readonly byUsage?: string;
  readonly percentage: string;
  readonly byFault?: string;
  readonly threshold: string;
  readonly limit: string;
  readonly show?: readonly string[];
  readonly orderBy?: string;
  readonly forReseller?: string;
}

export interface StatisticsChoice {
  readonly keys: readonly LveKey[];
  readonly reseller: string | undefined;
  readonly choose: (uses: readonly LveUse[]) => readonly LveUse[];
}

type ValueOf = (use: LveUse) => number | undefined;
type Passes = (use: LveUse) => boolean;

export function statisticsChoice(options: StatisticsOptions): Result<StatisticsChoice, Problem> {
  const keys = shownKeys(options.show);
  if (!keys.ok) return keys;
  const order = options.orderBy === undefined ? ok(undefined) : named(options.orderBy, orders);
  if (!order.ok) return order;
  const max = numberOf(options.limit, '--limit');
  if (!max.ok) return max;
  const usage = filterOf(options.byUsage, shares, options.percentage, '--percentage');
  if (!usage.ok) return usage;
  const fault = filterOf(options.byFault, faults, options.threshold, '--threshold');
  if (!fault.ok) return fault;
  const filters = [usage.value, fault.value].filter((each) => each !== undefined);
  return ok({
    keys: keys.value,
    reseller: options.forReseller,
    choose: (uses) => {
      const kept = uses.filter((use) => filters.every((passes) => passes(use)));
      const sorted = order.value === undefined ? kept : sortedBy(order.value, kept);
      return max.value === 0 ? sorted : sorted.slice(0, max.value);
    },
  });
}

const sortedBy = (valueOf: ValueOf, uses: readonly LveUse[]) =>
  uses.toSorted((a, b) => (valueOf(b) ?? 0) - (valueOf(a) ?? 0));

/** The values by their names; a text says why there is none. */
type Values = ReadonlyMap<string, ValueOf | string>;

const entriesInUse = 'web servers report which requests they refuse, and not how many they serve';
const noVirtualMemory = 'virtual memory is not measured';
const missing: Readonly<Partial<Record<LveKey, string>>> = {
  ep: entriesInUse,
  vmem: noVirtualMemory,
};

const byKey = (valueOf: (key: LveKey, use: LveUse) => number | undefined, without = missing) =>
  lveKeys.map((key) => [key, without[key] ?? ((use: LveUse) => valueOf(key, use))] as const);

const faultValues = byKey(faultsOf, {});
const shares: Values = new Map(byKey((key, use) => shareOfLimit(key, use, 'average')));
const faults: Values = new Map<string, ValueOf>([
  ['any', allFaults],
  ...(faultValues as [LveKey, ValueOf][]),
]);
const orders: Values = new Map<string, ValueOf | string>([
  ['any_faults', allFaults],
  ...byKey(averageUse),
  ['mysql_cpu', (use: LveUse) => databaseAverages(use).cpu],
  ...faultValues.map(([key, valueOf]) => [`${key}_faults`, valueOf] as const),
  ['iops_fault', (use: LveUse) => faultsOf('iops', use)],
]);

function named(word: string, known: Values): Result<ValueOf, Problem> {
  const found = known.get(word);
  const cannot = { action: 'use the field', object: word };
  if (typeof found === 'string') return failed({ ...cannot, reason: found });
  if (found !== undefined) return ok(found);
  if (word.startsWith('mysql')) {
    return failed({ ...cannot, reason: 'of databases, only the CPU time is measured' });
  }
  const names = [...known.keys()];
  return failed({ ...cannot, reason: `there is no such field${suggestion(word, names)}` });
}

function shownKeys(words: readonly string[] | undefined): Result<readonly LveKey[], Problem> {
  const asked = (words ?? []).flatMap((each) => each.split(',')).filter(Boolean);
  // "mysql" is shown with "cpu".
  const unknown = asked.find(
    (word) => !['all', 'mysql'].includes(word) && !lveKeys.some((key) => key === word),
  );
  if (unknown !== undefined) {
    const reason = `there is no such field${suggestion(unknown, lveKeys)}`;
    return failed({ action: 'show the field', object: unknown, reason });
  }
  if (asked.length === 0 || asked.includes('all')) return ok(lveKeys);
  return ok(lveKeys.filter((key) => asked.includes(key)));
}

function filterOf(
  word: string | undefined,
  known: Values,
  min: string,
  option: string,
): Result<Passes | undefined, Problem> {
  if (word === undefined) return ok(undefined);
  const valueOf = named(word, known);
  if (!valueOf.ok) return valueOf;
  const number = numberOf(min, option);
  if (!number.ok) return number;
  return ok((use) => (valueOf.value(use) ?? -1) >= number.value);
}

function numberOf(text: string, option: string): Result<number, Problem> {
  if (/^\d{1,9}$/.test(text)) return ok(Number(text));
  return failed({ action: `set ${option} to`, object: text, reason: 'that is not a number' });
}
