/** The screens of `setup boot`: the options, the exact change, and how it went. */
import { printable } from '../../../../packages/base/printable.ts';
import { print } from '../../../cli/shared/output.ts';
import { printDiff } from '../../../cli/shared/print-diff.ts';
import { terminalOf, wrap, type Colors } from '../../../cli/shared/terminal.ts';
import type { BootOptionState } from '../../core/boot/state.ts';
import type { BootOptionJson } from '../json.ts';

const paints: Readonly<Record<BootOptionState, keyof Colors>> = {
  there: 'green',
  'needs a reboot': 'yellow',
  'only if named': 'dim',
  'at next reboot': 'green',
  'without effect': 'red',
  'by hand': 'yellow',
  'not possible': 'dim',
  unknown: 'red',
};

const wordWidth = 16;
const indent = ' '.repeat(4);

export function printOptions(options: readonly BootOptionJson[]): void {
  const { columns, colors } = terminalOf(process.stdout);
  for (const { name, brings, cost, state, reason, words, byHand } of options) {
    print(`${name.padEnd(wordWidth)}${colors[paints[state]](state)}`);
    print(wrap(`${indent}${brings}`, columns, indent));
    if (state === 'there') continue;
    if (state !== 'not possible') print(wrap(`${indent}cost: ${cost}`, columns, indent));
    if (reason !== null) print(wrap(`${indent}${printable(reason)}`, columns, indent));
    for (const each of words) print(`${indent}${colors.bold(printable(each))}`);
    for (const each of byHand) print(wrap(`${indent}${printable(each)}`, columns, `${indent}  `));
  }
}

export interface ShownChange {
  readonly title: string;
  readonly files: readonly {
    readonly path: string;
    readonly before: string;
    readonly after: string;
  }[];
  readonly commands: readonly (readonly string[])[];
  readonly rewritten: readonly string[];
}

export function printChange({ title, files, commands, rewritten }: ShownChange): void {
  print(`\n${title}`);
  for (const { path, before, after } of files) printDiff(path, before, after);
  for (const each of commands) print(`run: ${printable(each.join(' '))}`);
  for (const each of rewritten) print(`which writes again: ${printable(each)}`);
}
