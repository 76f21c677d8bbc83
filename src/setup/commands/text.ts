/** The screens of `setup`: what was found, the plan, the progress, and the ladder. */
import {
  formatScore,
  layerStates,
  wordOfLayer,
  type Layer,
  type LayerState,
} from '../../../packages/base/layer.ts';
import { print } from '../../cli/shared/output.ts';
import { table, terminalOf, wrap, type Colors } from '../../cli/shared/terminal.ts';
import { printable } from '../../../packages/base/printable.ts';
import { lookLines, lookRemarks, type HostLook } from '../core/look.ts';
import type { PlannedStep } from '../core/plan.ts';
import type { SetupRecord } from '../core/record.ts';
import type { Progress, StepEnd } from './run-steps.ts';

const labelWidth = 10;

export function printLook(look: HostLook): void {
  const { columns } = terminalOf(process.stdout);
  const indent = ' '.repeat(labelWidth + 1);
  for (const [label, text] of lookLines(look))
    print(wrap(`${label.padEnd(labelWidth)} ${printable(text)}`, columns, indent));
  printNotes(lookRemarks(look));
}

export function printNotes(notes: readonly string[]): void {
  const { columns } = terminalOf(process.stdout);
  for (const each of notes) print(wrap(`Note: ${printable(each)}`, columns, '  '));
}

const paints: Readonly<Record<LayerState, keyof Colors>> = {
  enforced: 'green',
  partly: 'yellow',
  watched: 'yellow',
  open: 'red',
  unavailable: 'dim',
  unknown: 'red',
};

/** Prints a line for each layer, the weakest last, and the score. */
export function printLayers(layers: readonly Layer[], record?: SetupRecord): void {
  const { colors } = terminalOf(process.stdout);
  const sorted = layers.toSorted(
    (a, b) => layerStates.indexOf(a.state) - layerStates.indexOf(b.state),
  );
  const rows = sorted.map(({ key, state, boot, reason, improve, reported }) => [
    key,
    colors[paints[state]](wordOfLayer({ state, ...(boot === undefined ? {} : { boot }) })),
    printable(
      [
        reason,
        ...(reported === undefined ? [] : [`${String(reported)} reported${since(key, record)}`]),
        ...(improve === undefined ? [] : [`next: ${improve}`]),
      ].join('; '),
    ),
  ]);
  print(table([['LAYER', 'STATE', 'BECAUSE'].map(colors.dim), ...rows]));
  print(`\n${formatScore(layers)}`);
}

function since(key: string, record: SetupRecord | undefined): string {
  const quiet = record?.quiet[key];
  return quiet === undefined ? '' : `, the last one before ${quiet.since.slice(0, 10)}`;
}

export function printPlan(plan: readonly PlannedStep[]): void {
  const { columns, colors } = terminalOf(process.stdout);
  const wanted = plan.filter(({ obstacle }) => obstacle === undefined);
  for (const [index, { step, state, changes }] of wanted.entries()) {
    const done = state === 'done' ? colors.green(' (done)') : '';
    print(`${String(index + 1).padStart(2)}. ${step.title}${done}`);
    if (state === 'done') continue;
    print(wrap(`    ${printable(changes)}`, columns, '    '));
    print(wrap(`    customers notice: ${step.customers}`, columns, '    '));
  }
  for (const { step, obstacle = '' } of plan.filter((each) => each.obstacle !== undefined))
    print(wrap(`  - Left out: ${step.title}: ${printable(obstacle)}`, columns, '    '));
}

/** Prints a line when a step begins and its end on the same line. */
export function progressOf(total: number): Progress {
  const { colors } = terminalOf(process.stdout);
  let began = 0;
  return {
    begins(step, number) {
      began = performance.now();
      process.stdout.write(`[${String(number).padStart(2)}/${total}] ${step.title} … `);
    },
    ends(_step, end) {
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      print(endText(end, seconds, colors));
    },
  };
}

function endText(end: StepEnd, seconds: string, colors: Colors): string {
  switch (end.kind) {
    case 'done':
      return end.reason === undefined
        ? colors.green(`done (${seconds} s)`)
        : colors.yellow(`done (${seconds} s); ${printable(end.reason)}`);
    case 'reported':
      return (end.isGood ? colors.green : colors.yellow)(`${printable(end.text)} (${seconds} s)`);
    case 'there already':
      return colors.green('there already');
    case 'skipped':
      return colors.dim(`left out: ${printable(end.reason)}`);
    case 'failed':
      return colors.red(`failed and undone: ${printable(end.reason)}`);
  }
}
