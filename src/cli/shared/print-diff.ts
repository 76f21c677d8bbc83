/** Prints the changes in a file, as `diff -u` shows them. */
import { printable } from '../../../packages/base/printable.ts';
import { lineDiff, type DiffLine } from '../../policy/changes/line-diff.ts';
import { print } from './output.ts';
import { terminalOf } from './terminal.ts';

export function printDiff(file: string, before: string, after: string): void {
  const { colors } = terminalOf(process.stdout);
  const paint: Readonly<Record<DiffLine['sign'], (text: string) => string>> = {
    ' ': (text) => text,
    '-': colors.red,
    '+': colors.green,
  };
  for (const { line, lines } of lineDiff(before, after)) {
    print(colors.dim(`${file}:${line}`));
    // A tab is layout; other control characters must not reach the terminal.
    for (const { sign, text } of lines) {
      print(paint[sign](sign + text.split('\t').map(printable).join('\t')));
    }
  }
}
