/** The result of `match`, for people. The wording claims no more than what is proved. */
import type { SourceMatch } from '../../../packages/modules/core/source/match-result.ts';
import type { Rebuilt } from '../../../packages/modules/io/rebuild/rebuild.ts';
import { bareName } from '../../../packages/modules/core/record/module-file.ts';
import { count } from '../../cli/shared/session.ts';
import { table, wrap, type Terminal } from '../../cli/shared/terminal.ts';
import {
  matchOutcomes,
  outcomeOf,
  statesSrcversion,
  type Matched,
  type MatchOutcome,
} from './matched.ts';
import { printable } from '../../../packages/base/printable.ts';

const meanings: Readonly<Record<MatchOutcome, string>> = {
  reproduced: 'rebuilt from this source, it is identical byte for byte',
  consistent:
    'nothing contradicts that this is its source; srcversion is only a text in the module, so this is not a proof',
  differs: 'this is not the source it was built from, or not all of it',
  undecided: 'there is not enough to decide',
};

export function matchText(matched: Matched, terminal: Terminal): string {
  const outcome = outcomeOf(matched);
  const lines = [
    ...matchLines(matched.match),
    ...rebuildLines(matched.rebuilt),
    ...(outcome === 'undecided' && matched.rebuilt === undefined
      ? ['compare by rebuilding it (--rebuild)']
      : []),
  ];
  const head = `${printable(bareName(matched.entry.file))}: ${outcome}; ${meanings[outcome]}`;
  const { columns } = terminal;
  return [
    wrap(head, columns, '  '),
    ...lines.map((line) => wrap(`  ${printable(line)}`, columns, '    ')),
  ].join('\n');
}

function matchLines({
  srcversion,
  objects,
  compilers,
  suspectFiles,
  reasons,
  license,
}: SourceMatch): string[] {
  const { claimed, computed, method } = srcversion;
  const how = method === undefined ? '' : ` (by ${method})`;
  const sources = objects.filter((each) => each.source !== undefined).length;
  return [
    ...reasons,
    `srcversion: ${claimed ?? 'none'} in the module, ${computed ?? 'none'} from the source${how}`,
    `objects: ${objects.length} in the makefile, ${sources} of them with source; ${compilers.inModule} compiled objects in the module`,
    ...(suspectFiles.length === 0 ? [] : [`check: ${suspectFiles.slice(0, 10).join(', ')}`]),
    ...license.contradictions.map((each) => `license: ${each}`),
    ...license.closedTerms.slice(0, 5).map((each) => `worth checking: ${each}`),
  ];
}

function rebuildLines(rebuilt: Rebuilt | undefined): string[] {
  if (rebuilt === undefined) return [];
  const notes = [
    ...rebuilt.notes,
    ...rebuilt.compiled.slice(0, 5).map((each) => `compiled code in the source: ${each}`),
  ];
  if (rebuilt.outcome === 'undecided') {
    const lines = rebuilt.errors.length > 0 ? rebuilt.errors : rebuilt.lastLines.slice(-5);
    return [`rebuild: undecided: ${rebuilt.reason}`, ...lines, ...notes];
  }
  const { compared, differences, changed, furtherDifferences } = rebuilt.comparison;
  return [
    `rebuild: ${rebuilt.outcome}; ${compared.sections} sections, ${compared.bytes} bytes and ${compared.relocations} relocations compared`,
    ...differences.slice(0, 8).map((each) => each.message),
    ...(furtherDifferences > 0 ? [`… and ${furtherDifferences} more differences`] : []),
    ...(changed.length === 0
      ? []
      : [`functions and data that differ: ${changed.slice(0, 10).join(', ')}`]),
    ...notes,
  ];
}

const rowsMax = 40;

/**
 * Lists modules that differ, and undecided ones with a srcversion, one by one; the rest are
 * counted.
 */
export function matchTable(results: readonly Matched[], terminal: Terminal): string {
  const by = new Map<MatchOutcome, Matched[]>();
  for (const each of results) {
    const outcome = outcomeOf(each);
    by.set(outcome, [...(by.get(outcome) ?? []), each]);
  }
  const open = (by.get('undecided') ?? []).filter(statesSrcversion);
  const rows = [...(by.get('differs') ?? []), ...open].slice(0, rowsMax).map((each) => {
    const reason = printable(each.match.reasons[0] ?? '').slice(0, terminal.columns);
    return [printable(bareName(each.entry.file)), outcomeOf(each), reason];
  });
  const listed = rows.length === 0 ? [] : [table([['MODULE', 'OUTCOME', 'WHY'], ...rows])];
  const claimed = results.filter(statesSrcversion);
  const equal = claimed.filter((each) => each.match.outcome === 'consistent').length;
  const numbers = matchOutcomes.flatMap((outcome) => {
    const members = by.get(outcome);
    return members === undefined ? [] : [`${members.length} ${outcome}`];
  });
  const summary = [
    `${count(results.length, 'module')}: ${numbers.join(', ')}`,
    `${equal} of the ${claimed.length} with a srcversion match this source`,
  ];
  return [...listed, summary.join('\n')].join('\n\n');
}
