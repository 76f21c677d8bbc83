/**
 * Limits in the shape in which lvectl lists them.
 *
 *           ID   SPEED    PMEM    VMEM      EP   NPROC      IO    IOPS
 *      default     100   1024M      0K      20     100    1024    1024
 *         1001     200   2048M      0K      20     100    1024    1024
 *
 * SPEED is percent of one core and, in JSON, CPU percent of the whole machine; IO is KB/s. All are
 * text, and 0 is unlimited.
 */
import type { LimitNumbers } from '../../agent/api/api.ts';
import { lveLimits, wholeLimit } from '../core/lve-info.ts';
import { printable } from '../../../packages/base/printable.ts';

export interface LveRow {
  /** The tenant's uid, or `default`. */
  readonly ID: string;
  /** The limit on CPU time, in percent of one core. */
  readonly SPEED: string;
  /** The limit on CPU time, in percent of all cores. */
  readonly CPU: string;
  /** The limit on memory: `1024M`; `0K` is none. */
  readonly PMEM: string;
  /** The limit on virtual memory; always `0K`, since Bulkhead has none. */
  readonly VMEM: string;
  /** The limit on entries: concurrent requests. */
  readonly EP: string;
  /** The limit on processes and threads. */
  readonly NPROC: string;
  /** The limit on disk traffic, in KB per second. */
  readonly IO: string;
  /** The limit on disk operations per second. */
  readonly IOPS: string;
}

export function lveRow(id: string, numbers: LimitNumbers, cores: number): LveRow {
  const limits = lveLimits(numbers);
  const text = (limit: number) => String(wholeLimit(limit));
  return {
    ID: printable(id),
    SPEED: text(limits.speed),
    CPU: text(limits.speed / cores),
    PMEM: memoryText(limits.memoryBytes),
    VMEM: '0K',
    EP: text(limits.ep),
    NPROC: text(limits.nproc),
    IO: text(limits.ioBytesPerSecond / 1024),
    IOPS: text(limits.iops),
  };
}

/** Formats memory: `1024M`, or `1000K` if it is not a whole number of megabytes. */
function memoryText(bytes: number): string {
  const kilobytes = wholeLimit(bytes / 1024);
  return kilobytes > 0 && kilobytes % 1024 === 0 ? `${kilobytes / 1024}M` : `${kilobytes}K`;
}

const columns = ['ID', 'SPEED', 'PMEM', 'VMEM', 'EP', 'NPROC', 'IO', 'IOPS'] as const;
/** The width of lvectl's columns; a column whose values are longer grows. */
const widthMin = 8;

export function lveTable(rows: readonly LveRow[]): string {
  const widths = columns.map((column, index) => {
    const longest = rows.reduce((max, row) => Math.max(max, row[column].length), column.length);
    return Math.max(widthMin, index === 0 ? longest : longest + 1);
  });
  const line = (cells: readonly string[]) =>
    cells.map((cell, index) => cell.padStart(widths[index] ?? widthMin)).join('');
  return [line(columns), ...rows.map((row) => line(columns.map((column) => row[column])))].join(
    '\n',
  );
}
