/**
 * The columns of `top`. A narrow terminal shows the most important ones.
 *
 *      TENANT            CPU    OF LIMIT  MEMORY    READ/S   WRITE/S      PROCS FAULTS
 *     >alice           98.2% ████▉  100%  312MiB         0 1.25MiB/s  12/40/100   ! 12
 */
import type { TopRow } from '../../agent/api/api.ts';
import type { LimitKey } from '../../limits/limit.ts';
import { type Terminal } from '../shared/terminal.ts';
import {
  bytesRate,
  percent,
  quantity,
  shortCount,
  shortLimit,
  sumOfCounts,
} from '../shared/format.ts';
import { bar } from '../shared/graph.ts';
import { ownMemory, type TopSort } from './top-rows.ts';
import { printable } from '../../../packages/base/printable.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { fitLeft, fitRight } from '../shared/width.ts';

export interface Style {
  readonly colors: Terminal['colors'];
  readonly unicode: boolean;
}

type Paint = (text: string) => string;

interface TopColumn {
  readonly title: string;
  readonly width: number;
  readonly left?: boolean;
  /** Columns with high numbers are dropped first. */
  readonly priority: number;
  /** The sort order that uses it. */
  readonly sort?: TopSort;
  readonly text: (row: TopRow, style: Style) => string;
  readonly paint?: (row: TopRow, style: Style) => Paint | undefined;
  /** Whether a row has something in the column; it is shown only if at least one has. */
  readonly when?: (row: TopRow) => boolean;
}

const nearLimit = 0.9;

const shareOf = (row: TopRow, value: number, key: LimitKey) =>
  value / (limitNow(row, key) ?? Infinity);

const limitNow = ({ limits, cpuLimitNow }: TopRow, key: LimitKey) =>
  (key === 'cpu.limit' ? cpuLimitNow : undefined) ?? limits[key];

/** Colour of usage near its limit; none far below it. */
const near =
  (value: (row: TopRow) => number, key: LimitKey): NonNullable<TopColumn['paint']> =>
  (row, { colors }) =>
    row.limitsHit.includes(key)
      ? colors.red
      : shareOf(row, value(row), key) >= nearLimit
        ? colors.yellow
        : undefined;

/** The first colour that applies. */
const either =
  (...paints: readonly NonNullable<TopColumn['paint']>[]): NonNullable<TopColumn['paint']> =>
  (row, style) => {
    for (const paint of paints) {
      const found = paint(row, style);
      if (found !== undefined) return found;
    }
    return undefined;
  };
const nearTotal = near(({ usage }) => usage.total, 'io.total');

const cpuOf = ({ usage }: TopRow) => usage.cpu;
const none = (style: Style) => (style.unicode ? '∞' : '-');

const barWidth = 5;

function limitBar(row: TopRow, style: Style): string {
  const limit = limitNow(row, 'cpu.limit');
  if (limit === undefined) return fitRight(none(style), barWidth + 6);
  const lowered = row.cpuLimitNow === undefined ? '' : style.unicode ? '↓' : 'v';
  const text = `${lowered}${wholePercent(limit)}`;
  return `${bar(row.usage.cpu / limit, barWidth, style.unicode)} ${fitRight(text, 5)}`;
}

const wholePercent = (share: number) => `${Math.round(share * 100)}%`;

function processesText({ usage, limits }: TopRow, style: Style): string {
  const limit = limits['processes.limit'];
  const of = limit === undefined ? none(style) : shortCount(limit);
  return `${shortCount(usage.processes)}/${shortCount(usage.threads)}/${of}`;
}

function connectionsText({ usage, limits }: TopRow, style: Style): string {
  const { databaseConnections: connections } = usage;
  if (connections === undefined) return '-';
  const limit = limits['database.connections'];
  return `${shortCount(connections)}/${limit === undefined ? none(style) : shortCount(limit)}`;
}

const pressures = ({ usage }: TopRow) => [
  usage.cpuPressure,
  usage.memoryPressure,
  usage.ioPressure,
];

const faultsText = (row: TopRow) => {
  const sum = sumOfCounts(row.faults);
  return sum === 0 ? '' : `${row.limitsHit.length > 0 ? '! ' : ''}${shortCount(sum)}`;
};

const topColumns: readonly TopColumn[] = [
  {
    title: 'TENANT',
    width: 12,
    left: true,
    priority: 0,
    sort: 'name',
    text: ({ name, stopped }) => `${printable(name)}${stopped === true ? ' (stopped)' : ''}`,
  },
  {
    title: 'CPU',
    width: 6,
    priority: 0,
    sort: 'cpu',
    text: ({ usage }) => percent(usage.cpu),
    paint: near(cpuOf, 'cpu.limit'),
  },
  {
    title: 'OF LIMIT',
    width: barWidth + 6,
    priority: 4,
    text: limitBar,
    paint: near(cpuOf, 'cpu.limit'),
  },
  {
    title: 'MEMORY',
    width: 7,
    priority: 0,
    sort: 'memory',
    text: (row) => shortBytes(ownMemory(row)),
    paint: near(ownMemory, 'memory.limit'),
  },
  {
    title: 'PEAK',
    width: 7,
    priority: 5,
    text: ({ usage }) => shortBytes(usage.anonymousPeak),
    paint: near(({ usage }) => usage.anonymousPeak, 'memory.limit'),
  },
  { title: 'CACHE', width: 7, priority: 7, text: ({ usage }) => shortBytes(usage.cache) },
  {
    title: 'READ/S',
    width: 9,
    priority: 2,
    sort: 'io',
    text: ({ usage }) => bytesRate(usage.read),
    paint: either(
      near(({ usage }) => usage.read, 'io.read'),
      nearTotal,
    ),
  },
  {
    title: 'WRITE/S',
    width: 9,
    priority: 2,
    text: ({ usage }) => bytesRate(usage.write),
    paint: either(
      near(({ usage }) => usage.write, 'io.write'),
      nearTotal,
    ),
  },
  {
    title: 'IOPS',
    width: 5,
    priority: 6,
    sort: 'iops',
    text: ({ usage }) => shortCount(usage.operations),
    paint: near(({ usage }) => usage.operations, 'io.operations'),
  },
  {
    title: 'PROCS',
    width: 10,
    priority: 3,
    sort: 'processes',
    text: processesText,
    paint: near(({ usage }) => usage.threads, 'processes.limit'),
  },
  {
    title: 'WAIT C/M/I%',
    width: 11,
    priority: 8,
    text: (row) =>
      pressures(row)
        .map((each) => String(Math.round(each * 100)))
        .join('/'),
    when: (row) => pressures(row).some((each) => each > 0),
  },
  {
    title: 'DB CPU',
    width: 6,
    priority: 6,
    sort: 'database',
    text: ({ usage }) => quantity('fraction', usage.databaseCpu),
    paint: near(({ usage }) => usage.databaseCpu ?? 0, 'database.cpu'),
    // A column of dashes only would say nothing.
    when: ({ usage }) => usage.databaseCpu !== undefined,
  },
  {
    title: 'DB CONN',
    width: 7,
    priority: 8,
    text: connectionsText,
    paint: near(({ usage }) => usage.databaseConnections ?? 0, 'database.connections'),
    when: ({ usage }) => usage.databaseConnections !== undefined,
  },
  {
    title: 'PAUSED',
    width: 6,
    priority: 8,
    text: ({ usage }) => quantity('fraction', usage.databasePaused),
    when: ({ usage }) => (usage.databasePaused ?? 0) > 0,
  },
  {
    title: 'SENT/S',
    width: 9,
    priority: 6,
    sort: 'network',
    text: ({ usage }) => quantity('bytesPerSecond', usage.sent),
    paint: near(({ usage }) => usage.sent ?? 0, 'network.send'),
    when: ({ usage }) => usage.sent !== undefined,
  },
  {
    title: 'RECEIVED/S',
    width: 10,
    priority: 6,
    text: ({ usage }) => quantity('bytesPerSecond', usage.received),
    paint: near(({ usage }) => usage.received ?? 0, 'network.receive'),
    when: ({ usage }) => usage.received !== undefined,
  },
  {
    title: 'FAULTS',
    width: 6,
    priority: 1,
    sort: 'faults',
    text: faultsText,
    paint: (row, { colors }) =>
      row.limitsHit.length > 0 ? (text) => colors.bold(colors.red(text)) : undefined,
  },
  {
    title: 'HIT NOW',
    width: 16,
    left: true,
    priority: 9,
    text: ({ limitsHit }) => limitsHit.map(shortLimit).map(printable).join(' '),
    paint: (_, { colors }) => colors.red,
  },
];

const widthOf = (columns: readonly TopColumn[]) =>
  columns.reduce((sum, each) => sum + each.width + 1, 0);

/** Names get the remaining width, up to this. */
const widestName = 32;

/**
 * Returns the columns that fit into `width`, each after a space; the name takes the remaining
 * width.
 */
export function fitColumns(rows: readonly TopRow[], width: number): readonly TopColumn[] {
  let kept = topColumns.filter(({ when }) => when === undefined || rows.some(when));
  while (widthOf(kept) > width && kept.length > 1) {
    const min = Math.max(...kept.map(({ priority }) => priority));
    // The most important columns are dropped one by one, from the right.
    kept = min > 0 ? kept.filter(({ priority }) => priority < min) : kept.slice(0, -1);
  }
  const left = width - widthOf(kept);
  return kept.map((each) =>
    each.sort === 'name'
      ? { ...each, width: Math.max(1, Math.min(widestName, each.width + left)) }
      : each,
  );
}

const fit = ({ left, width }: TopColumn, text: string) =>
  left === true ? fitLeft(text, width) : fitRight(text, width);

/** Returns the header; the column that determines the order is marked. */
export function headerLine(columns: readonly TopColumn[], sort: TopSort, style: Style): string {
  const cells = columns.map((each) =>
    each.sort === sort
      ? style.colors.bold(style.colors.underline(fit(each, each.title)))
      : style.colors.dim(fit(each, each.title)),
  );
  return ` ${cells.join(' ')}`;
}

/** Returns a row; `mark` is printed before the row that keys act on. */
export function rowLine(
  row: TopRow,
  columns: readonly TopColumn[],
  style: Style,
  mark = ' ',
): string {
  const cells = columns.map((each) => {
    const text = fit(each, each.text(row, style));
    return each.paint?.(row, style)?.(text) ?? text;
  });
  return mark + cells.join(' ');
}
