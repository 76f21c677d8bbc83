/** The items of the report, for people. */
import { printable } from '../../../packages/base/printable.ts';
import { terminalOf, wrap } from '../../cli/shared/terminal.ts';
import type {
  SecurityItem as Item,
  SecurityVerdict as Verdict,
} from '../../../packages/base/security-item.ts';

/** The order of the report: items that need attention come first. */
const order: readonly Verdict[] = ['lacking', 'state', 'covered', 'unavailable', 'good'];
export const verdictWords: Readonly<Record<Verdict, string>> = {
  lacking: 'lacking',
  state: 'note',
  covered: 'covered',
  unavailable: 'not here',
  good: 'good',
};
const indent = ' '.repeat(10);

export function itemsText(items: readonly Item[]): string {
  const sorted = order.flatMap((verdict) => items.filter((each) => each.verdict === verdict));
  const count = (verdict: Verdict) => items.filter((each) => each.verdict === verdict).length;
  return [
    ...sorted.map(itemText),
    '',
    `${count('good')} good, ${count('covered')} covered by another, ${count('lacking')} lacking, ${count('unavailable')} not available here`,
  ].join('\n');
}

function itemText(item: Item): string {
  const { colors, columns } = terminalOf(process.stdout);
  const paint = {
    lacking: colors.red,
    state: colors.yellow,
    covered: colors.dim,
    unavailable: colors.yellow,
    good: colors.green,
  }[item.verdict];
  const { verdict, key, now, wanted, why, breaks, since, remark } = item;
  const value = now === undefined ? '' : `: ${printable(now)}`;
  const goal = verdict === 'good' || wanted === undefined ? '' : `; wanted: ${wanted}`;
  const head = `${paint(verdictWords[verdict].padEnd(indent.length))}${key}`;
  if (verdict === 'good') return `${head}${value}`;
  const lines = [
    why,
    ...(breaks === undefined || verdict === 'unavailable' ? [] : [`may break: ${breaks}`]),
    ...(since === undefined ? [] : [since.startsWith('Linux') ? `since ${since}` : `in ${since}`]),
    ...(remark === undefined ? [] : [verdict === 'lacking' ? `to do: ${remark}` : remark]),
  ];
  return [
    wrap(`${head}${value}${goal}`, columns, indent),
    ...lines.map((line) => wrap(`${indent}${printable(line)}`, columns, `${indent}  `)),
  ].join('\n');
}
