/** The selection that the options of lveinfo make: columns, order and rows. */
import { suggestion } from '../../policy/diagnostic.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import {
  allColumns,
  briefColumns,
  faultCriteria,
  periodColumns,
  usageCriteria,
  type Column,
  type Criterion,
  type InfoRow,
} from './info-columns.ts';
import {
  allDbgovColumns,
  dbgovColumns,
  dbgovFaultCriteria,
  dbgovUsageCriteria,
} from './databases/dbgov-columns.ts';

export interface ChoiceOptions {
  /** Whether the rows are about database servers. */
  readonly dbgov?: boolean;
  readonly orderBy?: string;
  readonly byUsage?: readonly string[];
  readonly percentage: string;
  readonly byFault?: readonly string[];
  readonly threshold: string;
  readonly limit: string;
  readonly showAll?: boolean;
  readonly showColumns?: readonly string[];
  readonly timeUnit?: string;
}

interface InfoChoice {
  readonly columns: readonly Column[];
  readonly choose: (rows: readonly InfoRow[]) => readonly InfoRow[];
}

interface Filter {
  readonly criteria: readonly Criterion[];
  readonly min: number;
}

export function infoChoice(options: ChoiceOptions): Result<InfoChoice, Problem> {
  const kind = options.dbgov === true ? databaseKind : lveKind;
  const columns = columnsOf(options, kind);
  const order = options.orderBy === undefined ? ok(undefined) : named(options.orderBy, kind.all);
  const usage = filterOf(options.byUsage, kind.usage, options.percentage, '--percentage');
  const fault = filterOf(options.byFault, kind.faults, options.threshold, '--threshold');
  const max = numberOf(options.limit, '--limit');
  if (!columns.ok) return columns;
  if (!order.ok) return order;
  if (!usage.ok) return usage;
  if (!fault.ok) return fault;
  if (!max.ok) return max;
  const filters = [usage.value, fault.value].filter((each) => each !== undefined);
  return ok({
    columns: columns.value,
    choose: (rows) => {
      const kept = rows.filter((row) => filters.every((filter) => passes(row, filter)));
      const sorted = order.value === undefined ? kept : sortedBy(order.value, kept);
      return max.value === 0 ? sorted : sorted.slice(0, max.value);
    },
  });
}

/** The columns that there are, and what rows can be chosen by. */
interface InfoKind {
  readonly all: readonly Column[];
  readonly brief: readonly Column[];
  /** The columns before brief ones, if there are several rows of a tenant. */
  readonly periods: readonly Column[];
  readonly usage: readonly Criterion[];
  readonly faults: readonly Criterion[];
}

const lveKind: InfoKind = {
  all: allColumns,
  brief: briefColumns,
  periods: periodColumns,
  usage: usageCriteria,
  faults: faultCriteria,
};
const databaseKind: InfoKind = {
  all: allDbgovColumns,
  brief: dbgovColumns,
  periods: [],
  usage: dbgovUsageCriteria,
  faults: dbgovFaultCriteria,
};

function columnsOf(
  { showAll, showColumns, timeUnit }: ChoiceOptions,
  { all, brief, periods }: InfoKind,
): Result<readonly Column[], Problem> {
  if (showAll === true) return ok(all);
  const words = (showColumns ?? []).flatMap((each) => each.split(/[, ]/)).filter(Boolean);
  if (words.some((word) => word.toLowerCase() === 'all')) return ok(all);
  if (words.length === 0) {
    return ok(timeUnit === undefined ? brief : [...periods, ...brief]);
  }
  const columns: Column[] = [];
  for (const word of words) {
    const found = named(word, all, (column) => [column.name.toLowerCase()]);
    if (!found.ok) return found;
    columns.push(found.value);
  }
  return ok(columns);
}

interface Named {
  readonly name: string;
  readonly aliases: readonly string[];
}

/** Finds the item that a word names; case does not matter. */
function named<T extends Named>(
  word: string,
  known: readonly T[],
  namesOf: (each: T) => readonly string[] = (each) => each.aliases,
): Result<T, Problem> {
  const found = known.find((each) => namesOf(each).includes(word.toLowerCase()));
  if (found !== undefined) return ok(found);
  const cannot = { action: 'use the column', object: word };
  if (/dbgov|mysql/i.test(word)) {
    return failed({ ...cannot, reason: '--dbgov shows the use of database servers' });
  }
  const hint = suggestion(word.toLowerCase(), known.flatMap(namesOf));
  return failed({ ...cannot, reason: `there is no such column${hint}` });
}

function filterOf(
  words: readonly string[] | undefined,
  known: readonly Criterion[],
  min: string,
  option: string,
): Result<Filter | undefined, Problem> {
  if (words === undefined) return ok(undefined);
  const number = numberOf(min, option);
  if (!number.ok) return number;
  const criteria: Criterion[] = [];
  for (const word of words.flatMap((each) => each.split(',')).filter(Boolean)) {
    const found = named(word, known);
    if (!found.ok) return found;
    const { refused } = found.value;
    if (refused !== undefined) {
      return failed({ action: 'choose rows by', object: word, reason: refused });
    }
    criteria.push(found.value);
  }
  return ok({ criteria, min: number.value });
}

function numberOf(text: string, option: string): Result<number, Problem> {
  if (/^\d{1,9}$/.test(text)) return ok(Number(text));
  return failed({
    action: `set ${option} to`,
    object: text,
    reason: 'that is not a number',
    hint: `write for example ${option}=10`,
  });
}

const passes = (row: InfoRow, { criteria, min }: Filter) =>
  criteria.some((each) => (each.value(row) ?? -1) >= min);

/**
 * Sorts numbers from the largest, and text alphabetically; values that are not measured come last.
 */
function sortedBy(column: Column, rows: readonly InfoRow[]): readonly InfoRow[] {
  return rows.toSorted((a, b) => {
    const [one, other] = [column.value(a), column.value(b)];
    if (typeof one === 'string' || typeof other === 'string') {
      return String(one).localeCompare(String(other), 'en', { numeric: true });
    }
    return (other ?? -Infinity) - (one ?? -Infinity) || 0;
  });
}
