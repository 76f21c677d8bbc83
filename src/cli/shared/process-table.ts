/** Processes as a table: those running now, or when a limit was hit. */
import type { LiveProcess } from '../../agent/api/api.ts';
import type { ProcessEvidence } from '../../usage/incident.ts';
import { table } from './terminal.ts';
import { duration, percent } from './format.ts';
import { untoldScript } from '../../usage/causes/top-users.ts';
import { printable } from '../../../packages/base/printable.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { cutTo, displayWidth } from './width.ts';

/** `cpu` is present only for running ones. */
type ShownProcess = Omit<ProcessEvidence, 'command'> & {
  readonly command?: string;
  readonly cpu?: number;
};

export const processSorts = ['cpu', 'memory', 'io', 'age', 'pid'] as const;
export type ProcessSort = (typeof processSorts)[number];

const weights: Readonly<Record<ProcessSort, (process: LiveProcess) => number>> = {
  cpu: ({ cpu = -1 }) => cpu,
  memory: ({ memoryBytes }) => memoryBytes,
  io: ({ readBytes = 0, writeBytes = 0 }) => readBytes + writeBytes,
  age: ({ ageSeconds = -1 }) => ageSeconds,
  pid: ({ pid }) => -pid,
};

/** Sorts processes, largest first; pids ascending, which also breaks ties. */
export function sortProcesses(
  processes: readonly LiveProcess[],
  by: ProcessSort,
): readonly LiveProcess[] {
  const weigh = weights[by];
  return processes.toSorted((a, b) => weigh(b) - weigh(a) || a.pid - b.pid);
}

/** Returns the command, or the name if the caller may not see the command; before it the request that PHP serves. */
function commandText({ command, name, request }: ShownProcess): string {
  const shown = printable(command ?? `[${name}]`);
  if (request === undefined) return shown;
  const { method, path, seconds } = request;
  const script = untoldScript(request);
  const by = script === '' ? '' : ` by ${script}`;
  return `${printable(`${method} ${path}`)} (${duration(seconds)}${printable(by)}): ${shown}`;
}

const bytesText = (bytes: number | undefined) => (bytes === undefined ? '?' : shortBytes(bytes));

interface ProcessColumn {
  readonly title: string;
  readonly text: (process: ShownProcess) => string;
  /** Shown only on wide, or only on narrow terminals. */
  readonly on?: 'wide' | 'narrow';
}

const processColumns: readonly ProcessColumn[] = [
  { title: 'PID', text: ({ pid }) => String(pid) },
  { title: 'S', text: ({ state }) => printable(state) },
  { title: 'THREADS', text: ({ threads }) => String(threads), on: 'wide' },
  { title: 'CPU', text: cpuText },
  { title: 'MEMORY', text: ({ memoryBytes }) => shortBytes(memoryBytes) },
  { title: 'READ', text: ({ readBytes }) => bytesText(readBytes), on: 'wide' },
  { title: 'WRITE', text: ({ writeBytes }) => bytesText(writeBytes), on: 'wide' },
  {
    title: 'I/O',
    text: ({ readBytes, writeBytes }) =>
      bytesText(
        readBytes === undefined || writeBytes === undefined ? undefined : readBytes + writeBytes,
      ),
    on: 'narrow',
  },
  { title: 'AGE', text: ({ ageSeconds }) => durationText(ageSeconds) },
];

const durationText = (seconds: number | undefined) =>
  seconds === undefined ? '?' : duration(seconds);

/** Returns a running process's share of a core, or the CPU time of a process of an incident. */
function cpuText({ cpu, cpuSeconds }: ShownProcess): string {
  return cpu === undefined ? durationText(cpuSeconds) : percent(cpu);
}

/** The width below which there would be no space for the command. */
const wideColumns = 100;

/** `columns`: where lines are cut; absent, nothing is. */
export function processTable(processes: readonly ShownProcess[], columns?: number): string {
  const size = columns === undefined || columns >= wideColumns ? 'wide' : 'narrow';
  const live = processes.some(({ cpu }) => cpu !== undefined);
  const chosen = processColumns.filter(({ on }) => on === undefined || on === size);
  const rows = [
    chosen.map(({ title }) => (title === 'CPU' && !live ? 'CPU TIME' : title)),
    ...processes.map((each) => chosen.map(({ text }) => text(each))),
  ];
  const commands = ['COMMAND', ...processes.map(commandText)];
  const room = columns === undefined ? Infinity : Math.max(8, columns - widthOf(rows));
  return table(
    rows.map((row, index) => [...row, cutTo(commands[index] ?? '', room)]),
    chosen.flatMap(({ title }, index) => (title === 'S' ? [] : [index])),
  );
}

/** Returns the width of the columns and the two blanks after each. */
const widthOf = (rows: readonly (readonly string[])[]) =>
  (rows[0] ?? []).reduce(
    (sum, _, column) => sum + 2 + Math.max(...rows.map((row) => displayWidth(row[column] ?? ''))),
    0,
  );
