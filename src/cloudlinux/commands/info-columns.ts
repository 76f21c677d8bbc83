/**
 * The columns of lveinfo, made from one table of resources:
 *
 *     aCPU  average    uCPU  percent of the limit that the average is    mCPU  maximum
 *     lCPU  limit      CPUf  faults
 *
 * CPU is percent of one core, memory bytes, IO bytes a second, reads and writes together. If each
 * has its own limit too, uIO shows whichever is nearest to its limit. A value that is not measured
 * is absent, and never 0.
 */
import type { UsageRow } from '../../agent/api/api.ts';
import { lveLimits, type LveLimits } from '../core/lve-info.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { type Period } from '../../cli/shared/period.ts';
import type { MetricKey } from '../../usage/metrics.ts';

export interface InfoRow {
  readonly id: string;
  readonly period: Period;
  readonly usage: UsageRow;
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
  readonly name: string;
  readonly faultsName: string;
  readonly words: readonly string[];
  readonly unit: Unit;
  readonly parts: readonly Part[];
  /** Further limits of the resource, each bounding a part separately. */
  readonly alsoBy?: readonly Part[];
  readonly scale: number;
  readonly limit: (limits: LveLimits) => number | undefined;
}

/** A metric that the usage consists of, and the limit that bounds it. */
interface Part {
  readonly metric: MetricKey;
  readonly limit: LimitKey;
}

const part = (metric: MetricKey, limit: LimitKey): Part => ({ metric, limit });

const resources: readonly Resource[] = [
  {
    name: 'CPU',
    faultsName: 'CPUf',
    words: ['cpu', 'mcpu'],
    unit: 'percent',
    parts: [part('cpu', 'cpu.limit')],
    scale: 100,
    limit: ({ speed }) => speed,
  },
  {
    name: 'EP',
    faultsName: 'EPf',
    words: ['ep', 'mep'],
    unit: 'count',
    parts: [],
    scale: 1,
    limit: ({ ep }) => ep,
  },
  {
    name: 'VMem',
    faultsName: 'VMemF',
    words: ['vmem', 'mem'],
    unit: 'bytes',
    parts: [],
    scale: 1,
    limit: () => 0,
  },
  {
    name: 'PMem',
    faultsName: 'PMemF',
    words: ['pmem'],
    unit: 'bytes',
    parts: [part('memory', 'memory.limit')],
    scale: 1,
    limit: ({ memoryBytes }) => memoryBytes,
  },
  {
    name: 'Nproc',
    faultsName: 'NprocF',
    words: ['nproc'],
    unit: 'number',
    parts: [part('threads', 'processes.limit')],
    scale: 1,
    limit: ({ nproc }) => nproc,
  },
  {
    name: 'IO',
    faultsName: 'IOf',
    words: ['io'],
    unit: 'bytesPerSecond',
    parts: [part('total', 'io.total')],
    alsoBy: [part('read', 'io.read'), part('write', 'io.write')],
    scale: 1,
    limit: ({ ioBytesPerSecond }) => ioBytesPerSecond,
  },
  {
    name: 'IOPS',
    faultsName: 'IOPSf',
    words: ['iops'],
    unit: 'number',
    parts: [part('operations', 'io.operations')],
    alsoBy: [part('reads', 'io.reads'), part('writes', 'io.writes')],
    scale: 1,
    limit: ({ iops }) => iops,
  },
];

type Statistic = 'average' | 'max';

const measured = ({ usage }: InfoRow, parts: readonly Part[], statistic: Statistic) =>
  parts.flatMap(({ metric }) => usage.metrics[metric]?.[statistic] ?? []);

function average(resource: Resource, row: InfoRow): number | undefined {
  const values = measured(row, resource.parts, 'average');
  if (values.length === 0) return undefined;
  return values.reduce((sum, value) => sum + value, 0) * resource.scale;
}

function maximum(resource: Resource, row: InfoRow): number | undefined {
  const values = measured(row, resource.parts, 'max');
  return values.length === 0 ? undefined : Math.max(...values) * resource.scale;
}

/** Returns the percentage of the limit; undefined if there is none. */
function share(resource: Resource, { usage }: InfoRow, statistic: Statistic): number | undefined {
  const shares = [...resource.parts, ...(resource.alsoBy ?? [])].flatMap(({ metric, limit }) => {
    const value = usage.metrics[metric]?.[statistic];
    const bound = usage.limits[limit];
    return value === undefined || bound === undefined || bound <= 0 ? [] : [(value / bound) * 100];
  });
  return shares.length === 0 ? undefined : Math.max(...shares);
}

function faults({ parts, alsoBy = [] }: Resource, { usage }: InfoRow): number | undefined {
  if (parts.length === 0) return undefined;
  return [...parts, ...alsoBy].reduce((sum, each) => sum + (usage.faults[each.limit] ?? 0), 0);
}

const aliases = (name: string, words: readonly string[], ends: readonly string[]) => [
  name.toLowerCase(),
  ...words.flatMap((word) => ends.map((end) => `${word}${end}`)),
];

function columnsOf(resource: Resource): readonly Column[] {
  const { name, faultsName, words, unit } = resource;
  const total = words.map((word) => `total_${word}`);
  return [
    {
      name: `a${name}`,
      unit,
      aliases: aliases(`a${name}`, words.slice(0, 1), ['', '_avg']),
      value: (row) => average(resource, row),
    },
    {
      name: `u${name}`,
      unit: 'percent',
      aliases: [`u${name.toLowerCase()}`],
      value: (row) => share(resource, row, 'average'),
    },
    {
      name: `m${name}`,
      unit,
      aliases: aliases(`m${name}`, words, ['_max']),
      value: (row) => maximum(resource, row),
    },
    {
      name: `l${name}`,
      unit,
      aliases: [`l${name.toLowerCase()}`],
      value: ({ usage }) => resource.limit(lveLimits(usage.limits)),
    },
    {
      name: faultsName,
      unit: 'count',
      aliases: [
        ...aliases(faultsName, words, ['_faults', '_fault']),
        ...total.map((word) => `${word}_faults`),
      ],
      value: (row) => faults(resource, row),
    },
  ];
}

const anyFaults: Column = {
  name: 'anyF',
  unit: 'count',
  aliases: ['anyf', 'any', 'any_faults'],
  value: (row) => resources.reduce((sum, each) => sum + (faults(each, row) ?? 0), 0),
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

/** The columns without periods, maxima, and values that are not measured here. */
export const briefColumns: readonly Column[] = [
  idColumn,
  ...resources
    .filter((each) => each.parts.length > 0)
    .flatMap((each) => columnsOf(each).filter(({ name }) => !name.startsWith('m'))),
  anyFaults,
];

/** How `--by-usage` and `--by-fault` choose among rows. */
export interface Criterion {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly value: (row: InfoRow) => number | undefined;
}

export const usageCriteria: readonly Criterion[] = resources.flatMap((resource) => {
  const [averageColumn, , maximumColumn] = columnsOf(resource);
  const criterion = (column: Column | undefined, statistic: Statistic): readonly Criterion[] =>
    column === undefined
      ? []
      : [
          {
            name: column.name,
            aliases: column.aliases,
            value: (row) => share(resource, row, statistic),
          },
        ];
  return [...criterion(averageColumn, 'average'), ...criterion(maximumColumn, 'max')];
});

export const faultCriteria: readonly Criterion[] = [
  ...resources.map((resource) => ({
    name: resource.faultsName,
    aliases: [resource.faultsName.toLowerCase(), ...resource.words],
    value: (row: InfoRow) => faults(resource, row),
  })),
  {
    name: anyFaults.name,
    aliases: anyFaults.aliases,
    value: (row) => Number(anyFaults.value(row)),
  },
];
