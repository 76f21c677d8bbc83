/**
 * A scan for people: what deserves a look first and one by one, the rest by number.
 *
 *     CONTRADICTED
 *     MODULE    LICENCE  LOADER           GPL-ONLY  WHY
 *     blobby    GPL      load OE                 3  Not all of it was compiled in one build: …
 *
 *     signed: 1138 modules
 *
 *     1139 modules for 6.12.118+deb13-amd64: 1138 signed, 1 contradicted
 */
import { printable } from '../../policy/diagnostic.ts';
import type { ModuleReport, ScanReport } from '../../modules/reports/report.ts';
import { standings, type Standing } from '../../modules/standing.ts';
import { count } from '../session.ts';
import { table, wrap, type Terminal } from '../terminal.ts';

const mostRows = 40;

export function scanTable(report: ScanReport, all: boolean, terminal: Terminal): string {
  const groups = standings.flatMap((standing) => group(report, standing, all, terminal));
  return [...groups, summary(report, terminal)].join('\n\n');
}

function group(report: ScanReport, standing: Standing, all: boolean, terminal: Terminal): string[] {
  const members = report.modules.filter((each) => each.standing === standing);
  if (members.length === 0) return [];
  const odd = members.filter((each) => deservesLook(each));
  const wanted = all ? members : odd;
  const rows = all ? wanted : wanted.slice(0, mostRows);
  const rest = members.length - rows.length;
  const { colors } = terminal;
  const paint = { contradicted: colors.red, unsupported: colors.yellow }[standing as string];
  const title = `${standing}: ${count(members.length, 'module')}`;
  const lines = [paint === undefined ? title : paint(title)];
  if (rows.length > 0) lines.push(rowsTable(rows, terminal));
  if (rest > 0 && rows.length > 0) {
    lines.push(
      `… and ${count(rest, 'module')} more${odd.length > rows.length ? '; --all lists them' : ' without anything odd'}`,
    );
  }
  return [lines.join('\n')];
}

/** A signed module that loads cleanly need not be read about. */
function deservesLook(module: ModuleReport): boolean {
  if (module.standing === 'contradicted' || module.standing === 'unsupported') return true;
  if (module.loader.result === 'refuse' || module.denied !== null) return true;
  return module.evidence.some((each) => each.weight === 'lead');
}

function rowsTable(modules: readonly ModuleReport[], terminal: Terminal): string {
  const rows = modules.map((each) => [
    printable(each.name),
    short(printable(each.licence ?? 'none'), 24),
    loaderWords(each),
    String(each.gplOnly.length),
  ]);
  const lines = table([['MODULE', 'LICENCE', 'LOADER', 'GPL-ONLY'], ...rows], [3]).split('\n');
  const width = Math.max(...lines.map((line) => line.length));
  // A file or another program gets it whole.
  const room = terminal.isTerminal ? Math.max(20, terminal.columns - width - 2) : Infinity;
  const why = ['WHY', ...modules.map((each) => short(printable(reasonOf(each)), room))];
  return lines.map((line, at) => `${line.padEnd(width)}  ${why[at] ?? ''}`.trimEnd()).join('\n');
}

const short = (text: string, most: number) =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;

function loaderWords({ loader }: ModuleReport): string {
  if (loader.result === 'refuse') return `refused, ${loader.errnoName ?? 'no errno'}`;
  return loader.taints === '' ? 'loads' : `loads, taints ${loader.taints}`;
}

const order = { proof: 0, lead: 1, note: 2, support: 3 } as const;

/** The weightiest thing that was found; for what is refused, why. */
function reasonOf(module: ModuleReport): string {
  if (module.denied !== null) return `denied: ${module.denied}`;
  const [first] = module.evidence.toSorted((a, b) => order[a.weight] - order[b.weight]);
  const refused = module.loader.result === 'refuse' ? module.loader.reasons.at(-1) : undefined;
  if (first !== undefined && order[first.weight] < order.note) return first.says;
  return refused ?? first?.says ?? '';
}

function summary({ counts, kernel }: ScanReport, terminal: Terminal): string {
  const byStanding = standings
    .filter((each) => counts.standings[each] > 0)
    .map((each) => `${counts.standings[each]} ${each}`);
  const head = `${count(counts.modules, 'module')} for Linux ${kernel.release}: ${byStanding.join(', ') || 'none'}`;
  const loader = [
    `the loader would take ${counts.load}`,
    counts.tainting > 0 && `${counts.tainting} of them taint the kernel`,
    `refuse ${counts.refuse}`,
  ].filter((each) => each !== false);
  const further = [
    counts.denied > 0 && `${counts.denied} denied`,
    counts.unmet > 0 && `${counts.unmet} below what the policy demands`,
    counts.problems > 0 && `${count(counts.problems, 'file')} could not be read`,
  ].filter((each) => each !== false);
  const lines = [head, loader.join(', '), ...further, `exports from ${kernel.exportsFrom}`];
  return lines.map((line) => wrap(printable(line), terminal.columns, '  ')).join('\n');
}
