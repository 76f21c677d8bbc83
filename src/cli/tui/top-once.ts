/** `bulkhead top --once`: a plain table, for a pipe, a file or a mail. */
import type { TopResponse, TopRow } from '../../agent/api/api.ts';
import { count, print } from '../shared/session.ts';
import { terminalOf } from '../shared/terminal.ts';
import { dateTime, duration, shortCount } from '../shared/format.ts';
import { fitColumns, headerLine, rowLine, type Style } from './top-columns.ts';
import { sumRows } from './top-frame.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import type { TopSort } from './top-rows.ts';

/** Wide enough for every column, if there is no terminal. */
const defaultColumns = 160;

export function printTop(
  answer: TopResponse,
  rows: readonly TopRow[],
  sort: TopSort,
  style: Style,
): void {
  const { isTerminal, columns } = terminalOf(process.stdout);
  const fitted = fitColumns(rows, isTerminal ? columns : defaultColumns);
  const lines = [
    headerLine(fitted, sort, style),
    ...rows.map((row) => rowLine(row, fitted, style)),
  ];
  print(`${summary(answer)}\n\n`);
  print(lines.map((line) => line.trimEnd()).join('\n'));
}

function summary(answer: TopResponse): string {
  const { cpu, memory, faultsPerMinute, tenants } = sumRows(answer.rows);
  const { host, at, durationSeconds, idle } = answer;
  return [
    `${dateTime(at)}, tick of ${duration(durationSeconds)}: ${count(tenants, 'tenant')}, ${idle} idle`,
    `CPU ${cpu.toFixed(2)} of ${host.cores} cores, memory ${shortBytes(memory)} of ${shortBytes(host.memoryBytes)}, ${shortCount(faultsPerMinute)} faults a minute`,
  ].join('\n');
}
