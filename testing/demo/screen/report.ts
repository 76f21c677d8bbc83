/** The verdicts, as text for people and as JSON for programs. */
import { count } from '../../../src/cli/shared/session.ts';
import { attributes } from '../../../src/limits/limits.ts';
import type { Report } from '../course.ts';
import { wrap } from '../../../src/cli/shared/terminal.ts';
import type { DemoScreen } from './screen.ts';
import { isFailure, type LimitOutcome, type LimitVerdict } from '../verdict.ts';

type Word = LimitOutcome | 'fine' | 'slower';

const titleWidth = 10;
/** The factor by which a median may be longer on any busy machine. */
const undisturbedRatio = 1.5;

export const isEnforced = ({ verdicts, failures }: Report) =>
  !verdicts.some(isFailure) && failures.length === 0;

export function printReport(report: Report, screen: DemoScreen): void {
  const { verdicts, failures } = report;
  const neighbour = neighbourVerdict(report);
  const width = Math.max(neighbour.word.length, ...verdicts.map(({ outcome }) => outcome.length));
  screen.print('');
  for (const { outcome, title, proof } of verdicts) {
    screen.print(verdictLine(outcome, title, proof, width, screen));
  }
  screen.print(verdictLine(neighbour.word, 'neighbour', neighbour.proof, width, screen));
  printGaps(verdicts, screen);
  printAbsent(verdicts, screen);
  for (const failure of failures) screen.print(screen.colors.red(`\n${failure}`));
  screen.print(`\n${summary(verdicts, screen)}`);
}

function verdictLine(
  word: Word,
  title: string,
  proof: string,
  width: number,
  screen: DemoScreen,
): string {
  const { green, red, yellow } = screen.colors;
  const paint = {
    enforced: green,
    fine: green,
    slower: yellow,
    'not enforced': red,
    'not proved': yellow,
    'not judged': yellow,
    'not supported here': yellow,
  }[word];
  const begin = `${word.padEnd(width)}  ${title.padEnd(titleWidth)}  `;
  const text = wrap(begin + proof, screen.columns(), ' '.repeat(begin.length));
  return paint(text.slice(0, word.length)) + text.slice(word.length);
}

/**
 * Describes the neighbour. It neither proves nor refutes a limit: it depends on everything else
 * that this host does.
 */
function neighbourVerdict({ neighbour }: Report): { readonly word: Word; readonly proof: string } {
  const { alone, beside } = neighbour;
  if (alone === undefined || beside === undefined) {
    return { word: 'slower', proof: 'it served no page, so nothing is known of it' };
  }
  const [now, before] = [beside.medianMilliseconds, alone.medianMilliseconds];
  const times = `a page took ${now.toFixed(1)} ms beside the others, ${before.toFixed(1)} ms alone`;
  return { word: now <= before * undisturbedRatio ? 'fine' : 'slower', proof: times };
}

/** Prints limits that are only partly enforced: each reason once, with its limits. */
function printGaps(verdicts: readonly LimitVerdict[], screen: DemoScreen): void {
  const partial = verdicts.filter(({ support }) => support.level === 'partial');
  const titles = new Map<string, string[]>();
  for (const { title, support } of partial) {
    for (const reason of (support.reason ?? '').split('; ')) {
      titles.set(reason, [...(titles.get(reason) ?? []), title]);
    }
  }
  if (titles.size === 0) return;
  const helps = new Set(partial.flatMap(({ support }) => support.help ?? []));
  screen.print('\nEnforced in what the demo does, but on this host not in everything:');
  for (const [reason, of] of titles) formatNote(`${of.join(', ')}: ${reason}`, screen);
  for (const help of helps) formatNote(`To improve: ${help}`, screen);
}

const formatNote = (text: string, screen: DemoScreen) =>
  screen.print(screen.colors.dim(wrap(`  ${text}`, screen.columns(), '    ')));

function printAbsent(verdicts: readonly LimitVerdict[], screen: DemoScreen): void {
  const shown = new Set(verdicts.map(({ key }) => key));
  const rest = [...attributes.keys()].filter((key) => !shown.has(key));
  const names = rest.map((key) => key.replace('.', ' ')).join(', ');
  const text = `Not part of the demo: ${names}; "bulkhead doctor" shows which limits this host supports`;
  screen.print(`\n${screen.colors.dim(wrap(text, screen.columns()))}`);
}

function summary(verdicts: readonly LimitVerdict[], { colors }: DemoScreen): string {
  const number = (outcome: LimitOutcome) =>
    verdicts.filter((each) => each.outcome === outcome).length;
  const [enforced, failed, absent] = [
    number('enforced'),
    number('not enforced'),
    number('not supported here'),
  ];
  const unproved = number('not proved');
  const idle = unproved === 0 ? '' : `, ${unproved} not proved`;
  const unjudged = number('not judged');
  const busy = unjudged === 0 ? '' : `, ${unjudged} not judged: the host is busy`;
  const rest = `${idle}${busy}${absent === 0 ? '' : `; ${absent} cannot be shown here`}`;
  if (failed > 0)
    return colors.red(`${count(failed, 'limit')} not enforced, ${enforced} enforced${rest}`);
  if (unproved > 0)
    return colors.yellow(
      `${count(enforced, 'limit')} enforced${rest}: run it again when less runs here`,
    );
  if (enforced === 0) return colors.yellow('No limit can be shown here');
  return colors.green(
    `The kernel enforced ${enforced === 1 ? '1 limit' : `all ${enforced} limits`}${rest}`,
  );
}

/** Returns the output of `--json`. `removed`: nothing was left behind. */
export function reportJson(report: Report, removed: boolean, seconds: number): string {
  const verdicts = report.verdicts.map(({ reading, support, ...verdict }) => ({
    ...verdict,
    ...(reading === undefined
      ? {}
      : { limit: reading.limit, measured: reading.measured, hits: reading.hits }),
    support,
  }));
  const enforced = isEnforced(report);
  return JSON.stringify({ enforced, ...report, verdicts, removed, seconds }, undefined, 2);
}
