/** The keys of `bulkhead top`, on a screen of their own. */
import { composeFrame, type Size } from './frame.ts';
import type { Style } from './top-columns.ts';
import { cutTo } from '../shared/width.ts';

const lines = [
  'Up Down j k, PageUp PageDown, Home End   move',
  'Enter       processes and incidents; of a reseller, its tenants',
  'Esc         back; clears the filter',
  '/           filter by name, package or reseller',
  'c m i p f n sort by CPU, memory, I/O, processes, faults, name',
  '            the same key again turns the order round',
  '< >         sort by the column at the left or right',
  'r           resellers, or tenants',
  'a           idle ones too',
  'Ctrl-L      draw the screen afresh',
  'q Ctrl-C    quit',
  '',
  'CPU is in percent of one core. MEMORY is without page cache, which is',
  'in CACHE. PROCS is processes/threads/limit. WAIT is the share of the time',
  'that something waited for CPU, memory or I/O. FAULTS are of 5 minutes;',
  'with "!" a limit was hit in the last tick.',
];

export function helpFrame(size: Size, { colors }: Style): readonly string[] {
  const [foot, title] = ['Any key goes back', 'Keys of bulkhead top'];
  const { columns } = size;
  return composeFrame(
    {
      head: [colors.bold(cutTo(title, columns))],
      body: lines.map((each) => cutTo(`  ${each}`, columns)),
      foot: colors.dim(cutTo(foot, columns)),
    },
    size,
  );
}
