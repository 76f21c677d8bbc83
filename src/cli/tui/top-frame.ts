/**
 * The list of `bulkhead top` as lines: the host, then its tenants. Only the rows that are on the
 * screen are formatted.
 */
import type { TopResponse, TopRow } from '../../agent/api/api.ts';
import { clock, duration, percent, shortCount, sumOfCounts } from '../shared/format.ts';
import { bothSides, composeFrame, keyLine, reverse, type Size } from './frame.ts';
import { bar } from '../shared/graph.ts';
import { ownMemory } from './top-rows.ts';
import { fitColumns, headerLine, rowLine, type Style } from './top-columns.ts';
import type { TopState } from './top-state.ts';
import { printable } from '../../../packages/base/printable.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { cutTo, fitLeft, fitRight } from '../shared/width.ts';

/** Lines that are not rows of the list. */
const frameLines = 6;

export const listHeight = ({ rows }: Size) => Math.max(1, rows - frameLines);

/** Returns the reason why the data is not current: it is old, or the agent does not respond. */
export function remarkOf(
  answer: TopResponse,
  problem: string | undefined,
  now: number,
): string | undefined {
  const age = (now - answer.at) / 1000;
  const old = age > 3 * answer.durationSeconds + 2;
  if (problem !== undefined)
    return `Last update at ${clock(answer.at)}, retrying: ${printable(problem)}`;
  return old ? `The last tick was ${duration(age)} ago: the agent is behind schedule` : undefined;
}

interface Sums {
  readonly cpu: number;
  readonly memory: number;
  readonly faultsPerMinute: number;
  readonly tenants: number;
}

/** Sums over tenants only: a reseller is the sum of its tenants. */
export function sumRows(rows: readonly TopRow[]): Sums {
  let [cpu, memory, faults, tenants] = [0, 0, 0, 0];
  for (const row of rows) {
    if (row.kind !== 'tenant') continue;
    cpu += row.usage.cpu;
    memory += ownMemory(row);
    faults += sumOfCounts(row.faults);
    tenants++;
  }
  return { cpu, memory, faultsPerMinute: faults / 5, tenants };
}

const gaugeWidth = 20;

function gauge(name: string, use: string, share: number, style: Style): string {
  const paint =
    share >= 0.9 ? style.colors.red : share >= 0.7 ? style.colors.yellow : style.colors.green;
  const drawn = paint(bar(share, gaugeWidth, style.unicode));
  return `${fitLeft(name, 8)}${drawn} ${fitRight(percent(share), 6)}  ${use}`;
}

/** Returns the time of the tick, and the host in two lines. */
function hostLines(
  { host, rows, idle, at, durationSeconds }: TopResponse,
  { columns }: Size,
  style: Style,
) {
  const sums = sumRows(rows);
  const tick = `${clock(at)}, tick of ${duration(durationSeconds)}`;
  const faults = `${shortCount(sums.faultsPerMinute)} faults a minute`;
  const tenants = `${sums.tenants} tenants, ${idle} idle`;
  const [left, right] = bothSides(`bulkhead top  ${tenants}, ${faults}`, tick, columns);
  return [
    `${style.colors.bold(left)} ${style.colors.dim(right)}`,
    gauge('CPU', `${sums.cpu.toFixed(2)} of ${host.cores} cores`, sums.cpu / host.cores, style),
    gauge(
      'Memory',
      `${shortBytes(sums.memory)} of ${shortBytes(host.memoryBytes)}`,
      sums.memory / host.memoryBytes,
      style,
    ),
  ];
}

function viewText(state: TopState, length: number): string {
  const what = state.of === undefined ? `${state.kind}s` : `tenants of ${printable(state.of)}`;
  const order = `by ${state.sort}${state.reverse ? ', reversed' : ''}`;
  const filter = state.filter === '' ? '' : `, filter "${printable(state.filter)}"`;
  return `${length} ${what} ${order}${filter}${state.all ? ', including idle' : ''}`;
}

const listKeys = [
  ['q', 'quit'],
  ['h', 'help'],
  ['Enter', 'processes'],
  ['/', 'filter'],
  ['cmipfn', 'sort'],
  ['r', 'resellers'],
  ['s', 'sites'],
  ['a', 'idle'],
] as const;

interface ListFrame {
  readonly answer: TopResponse;
  /** Filtered and sorted. */
  readonly rows: readonly TopRow[];
  readonly state: TopState;
  readonly remark: string | undefined;
}

export function listFrame(
  { answer, rows, state, remark }: ListFrame,
  size: Size,
  style: Style,
): readonly string[] {
  const { columns } = size;
  const fitted = fitColumns(rows, columns);
  const shown = rows.slice(state.offset, state.offset + listHeight(size));
  const view = cutTo(remark ?? viewText(state, rows.length), columns);
  return composeFrame(
    {
      head: [
        ...hostLines(answer, size, style),
        remark === undefined ? style.colors.dim(view) : style.colors.yellow(reverse(view)),
        headerLine(fitted, state.sort, style),
      ],
      body: shown.map((row, index) => {
        const chosen = state.offset + index === state.cursor;
        const line = rowLine(row, fitted, style, chosen ? '>' : ' ');
        return chosen ? reverse(line) : line;
      }),
      foot: state.typing
        ? cutTo(`Filter: ${printable(state.filter)}_  Enter applies it, Esc clears it`, columns)
        : keyLine(listKeys, columns, style),
    },
    size,
  );
}
