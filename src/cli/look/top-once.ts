/** `bulkhead top --once`: one plain table, for a pipe, a file or a mail. */
import type { TopAnswer, TopRow } from '../../agent/api.ts';
import { count, print } from '../session.ts';
import { shortBytes, terminalOf } from '../terminal.ts';
import { dateTime, duration, shortCount } from './format.ts';
import { fitColumns, headerLine, rowLine, type Look } from './top-columns.ts';
import { sumRows } from './top-frame.ts';
import type { TopSort } from './top-rows.ts';

/** Wide enough for every column, where no terminal says otherwise. */
const usualColumns = 160;

export function printTop(
  answer: TopAnswer,
  rows: readonly TopRow[],
  sort: TopSort,
  look: Look,
): void {
  const { isTerminal, columns } = terminalOf(process.stdout);
  const fitted = fitColumns(rows, isTerminal ? columns : usualColumns);
  const lines = [headerLine(fitted, sort, look), ...rows.map((row) => rowLine(row, fitted, look))];
  print(`${summary(answer)}\n\n`);
  print(lines.map((line) => line.trimEnd()).join('\n'));
}

function summary(answer: TopAnswer): string {
  const { cpu, memory, faultsPerMinute, tenants } = sumRows(answer.rows);
  const { host, at, seconds, idle } = answer;
  return [
    `${dateTime(at)}, tick of ${duration(seconds)}: ${count(tenants, 'tenant')}, ${idle} idle`,
    `CPU ${cpu.toFixed(2)} of ${host.cores} cores, memory ${shortBytes(memory)} of ${shortBytes(host.memoryBytes)}, ${shortCount(faultsPerMinute)} faults a minute`,
  ].join('\n');
}
