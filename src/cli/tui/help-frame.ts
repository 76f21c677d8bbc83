/** The keys of `bulkhead top`, on a screen of their own. */
import { composeFrame, type Size } from './frame.ts';
import type { Style } from './top-columns.ts';
import { wrap } from '../shared/terminal.ts';
import { cutTo } from '../shared/width.ts';

const keys = [
  'Up Down j k, PageUp PageDown, Home End   move',
  'Enter       processes and incidents; of a reseller, its tenants',
  'Esc         back; clears the filter',
  '/           filter by name, package or reseller',
  'c m i p f n sort by CPU, memory, I/O, processes, faults, name',
  '            the same key again reverses the order',
  '< >         sort by the next column to the left or right',
  'r s         toggle resellers and tenants, sites and tenants',
  'a           include idle tenants',
  'Ctrl-L      redraw the screen',
  'q Ctrl-C    quit',
  '',
];

const meaning =
  'CPU is in percent of one core. MEMORY excludes page cache, which is shown as CACHE. PROCS is processes/threads/limit. WAIT is the share of the time in which something waited for CPU, memory or I/O. DB is database servers, and PAUSED the share of the time for which it was paused for them. FAULTS are those of the last 5 minutes; "!" means that a limit was hit in the last tick.';

/** The column in which the texts next to the keys start, and the width above which a paragraph is hard to read. */
const textColumn = 14;
const paragraphColumnsMax = 76;

export function helpFrame(size: Size, { colors }: Style): readonly string[] {
  const [foot, title] = ['Press any key to go back', 'Keys of bulkhead top'];
  const { columns } = size;
  return composeFrame(
    {
      head: [colors.bold(cutTo(title, columns))],
      body: [
        ...keys.flatMap((each) => wrapped(each, columns, textColumn)),
        ...wrapped(meaning, Math.min(columns, paragraphColumnsMax), 2),
      ].map((each) => cutTo(each, columns)),
      foot: colors.dim(cutTo(foot, columns)),
    },
    size,
  );
}

const wrapped = (text: string, columns: number, indent: number): readonly string[] =>
  wrap(`  ${text}`, columns, ' '.repeat(indent)).split('\n');
