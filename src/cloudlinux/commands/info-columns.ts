/**
 * The columns of lveinfo, made from one table of resources:
 *
 *     aCPU  average    uCPU  percent of the limit that the average is    mCPU  maximum
 *     lCPU  limit      CPUf  faults
 *
 * core/lve-usage.ts has the units. A value that is not measured is absent, and never 0.
 */
import {
  allFaults,
  averageUse,
  faultsOf,
  limitOf,
  maximumUse,
  shareOfLimit,
  type LveKey,
  type LveUse,
} from '../core/lve-usage.ts';
import { type Period } from '../../cli/shared/period.ts';

export interface InfoRow extends LveUse {
  readonly id: string;
  readonly period: Period;
}

type Unit = 'text' | 'percent' | 'bytes' | 'bytesPerSecond' | 'number' | 'count';

export interface Column {
  readonly name: string;
  readonly unit: Unit;
  /** Words for it in `--order-by`, `--by-usage` and `--by-fault`, in lower case. */
  readonly aliases: readonly string[];
  readonly value: (row: InfoRow) => string | number | undefined;
}

interface Resource {
  readonly key: LveKey;
  readonly name: string;
  readonly faultsName: string;
  readonly words: readonly string[];
  readonly unit: Unit;
}

const resources: readonly Resource[] = [
  { key: 'cpu', name: 'CPU', faultsName: 'CPUf', words: ['cpu', 'mcpu'], unit: 'percent' },
  { key: 'ep', name: 'EP', faultsName: 'EPf', words: ['ep', 'mep'], unit: 'count' },
  { key: 'vmem', name: 'VMem', faultsName: 'VMemF', words: ['vmem', 'mem'], unit: 'bytes' },
  { key: 'pmem', name: 'PMem', faultsName: 'PMemF', words: ['pmem'], unit: 'bytes' },
  { key: 'nproc', name: 'Nproc', faultsName: 'NprocF', words: ['nproc'], unit: 'number' },
  { key: 'io', name: 'IO', faultsName: 'IOf', words: ['io'], unit: 'bytesPerSecond' },
  { key: 'iops', name: 'IOPS', faultsName: 'IOPSf', words: ['iops'], unit: 'number' },
];

const aliases = (name: string, words: readonly string[], ends: readonly string[]) => [
  name.toLowerCase(),
  ...words.flatMap((word) => ends.map((end) => `${word}${end}`)),
];

function columnsOf(resource: Resource): readonly Column[] {
  const { key, name, faultsName, words, unit } = resource;
  const total = words.map((word) => `total_${word}`);
  return [
    {
      name: `a${name}`,
      unit,
      aliases: aliases(`a${name}`, words.slice(0, 1), ['', '_avg']),
      value: (row) => averageUse(key, row),
    },
    {
      name: `u${name}`,
      unit: 'percent',
      aliases: [`u${name.toLowerCase()}`],
      value: (row) => shareOfLimit(key, row, 'average'),
    },
    {
      name: `m${name}`,
      unit,
      aliases: aliases(`m${name}`, words, ['_max']),
      value: (row) => maximumUse(key, row),
    },
    {
      name: `l${name}`,
      unit,
      aliases: [`l${name.toLowerCase()}`],
      value: (row) => limitOf(key, row),
    },
    {
      name: faultsName,
      unit: 'count',
      aliases: [
        ...aliases(faultsName, words, ['_faults', '_fault']),
        ...total.map((word) => `${word}_faults`),
      ],
      value: (row) => faultsOf(key, row),
    },
  ];
}

const anyFaults: Column = {
  name: 'anyF',
  unit: 'count',
  aliases: ['anyf', 'any', 'any_faults'],
  value: allFaults,
};

const plain = (name: string, value: (row: InfoRow) => string | number): Column => ({
  name,
  unit: 'text',
  aliases: [name.toLowerCase()],
  value,
});

export const periodColumns: readonly Column[] = [
  plain('From', ({ period }) => period.from),
  plain('To', ({ period }) => period.to),
];
const idColumn = plain('ID', ({ id }) => id);

/** Every column, in the order in which they are printed. */
export const allColumns: readonly Column[] = [
  ...periodColumns,
  idColumn,
  ...resources.flatMap(columnsOf),
  anyFaults,
];

/** The columns without periods, maxima, and virtual memory, which nothing limits. */
export const briefColumns: readonly Column[] = [
  idColumn,
  ...resources
    .filter(({ key }) => key !== 'vmem')
    .flatMap((each) => columnsOf(each).filter(({ name }) => !name.startsWith('m'))),
  anyFaults,
];

/** How `--by-usage` and `--by-fault` choose among rows. */
export interface Criterion {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly value: (row: InfoRow) => number | undefined;
  /** Why it cannot be used: no row would ever match. */
  readonly refused?: string;
}

const entriesInUse =
  'web servers report which requests they refuse, and not how many they serve; use --by-fault';

export const usageCriteria: readonly Criterion[] = resources.flatMap((resource) => {
  const { key } = resource;
  const [averageColumn, , maximumColumn] = columnsOf(resource);
  const criterion = (column: Column | undefined, statistic: 'average' | 'max') =>
    column === undefined
      ? []
      : [
          {
            name: column.name,
            aliases: column.aliases,
            value: (row: InfoRow) => shareOfLimit(key, row, statistic),
            ...(key === 'ep' && { refused: entriesInUse }),
          },
        ];
  return [...criterion(averageColumn, 'average'), ...criterion(maximumColumn, 'max')];
});

export const faultCriteria: readonly Criterion[] = [
  ...resources.map(({ key, faultsName, words }) => ({
    name: faultsName,
    aliases: [faultsName.toLowerCase(), ...words],
    value: (row: InfoRow) => faultsOf(key, row),
  })),
  { name: anyFaults.name, aliases: anyFaults.aliases, value: allFaults },
];
