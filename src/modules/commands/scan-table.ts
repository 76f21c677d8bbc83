/**
 * A scan for people: modules that deserve attention come first, one by one; the others are counted.
 *
 *     CONTRADICTED
 *     MODULE    LICENSE  LOADER             GPL-ONLY  WHY
 *     blobby    GPL      loads, taints OE          3  Not all of it was compiled in one build: …
 *
 *     signed: 1138 modules
 *
 *     GPL-ONLY: number of symbols it uses that the kernel exports to GPL modules only
 *     1139 modules for 6.12.118+deb13-amd64: 1138 signed, 1 contradicted
 */
import type { ModuleReport, ScanReport } from '../../../packages/modules/core/reports/report.ts';
import {
  trustLevels,
  type Evidence,
  type TrustLevel,
} from '../../../packages/modules/core/evidence/trust-level.ts';
import { count } from '../../cli/shared/output.ts';
import { table, wrap, type Terminal } from '../../cli/shared/terminal.ts';
import { printable } from '../../../packages/base/printable.ts';

const rowsMax = 40;

export function scanTable(report: ScanReport, all: boolean, terminal: Terminal): string {
  const groups = trustLevels.flatMap((trustLevel) => group(report, trustLevel, all, terminal));
  return [...groups, summary(report, groups.join('\n'), terminal)].join('\n\n');
}

function group(
  report: ScanReport,
  trustLevel: TrustLevel,
  all: boolean,
  terminal: Terminal,
): string[] {
  const members = report.modules.filter((each) => each.trustLevel === trustLevel);
  if (members.length === 0) return [];
  const unverified = members.filter((each) => isUnverified(each));
  const alike = unverified.length > rowsMax ? unverified : [];
  const odd = members.filter((each) => needsAttention(each, alike.length > 0));
  const wanted = all ? members : odd;
  const rows = all ? wanted : wanted.slice(0, rowsMax);
  const rest = members.length - rows.length;
  const { colors } = terminal;
  const paint = { contradicted: colors.red, unsupported: colors.yellow }[trustLevel as string];
  const title = `${trustLevel}: ${count(members.length, 'module')}`;
  const lines = [paint === undefined ? title : paint(title)];
  if (rows.length > 0) lines.push(rowsTable(rows, terminal));
  if (rest > 0 && rows.length > 0) {
    lines.push(
      `… and ${count(rest, 'module')} more${odd.length > rows.length ? '; --all lists them' : ' without anything odd'}`,
    );
  }
  if (alike.length > 0 && !all) {
    lines.push(`${alike.length} of them are signed with an unknown key; --all lists them`);
  }
  return [lines.join('\n')];
}

/**
 * Whether the module is signed with a key that could not be checked. Without a kernel image,
 * thousands of the kernel's own modules look like that.
 */
const isUnverified = ({ signature, trustLevel }: ModuleReport) =>
  trustLevel === 'unsupported' && signature === 'unknown key';

/** Whether the module deserves a row of its own: a signed module that loads cleanly does not. */
function needsAttention(module: ModuleReport, manyUnverified: boolean): boolean {
  if (module.trustLevel === 'contradicted') return true;
  if (module.trustLevel === 'unsupported' && !(manyUnverified && isUnverified(module))) return true;
  if (module.loader.result === 'refuse' || module.deniedReason !== null) return true;
  if (module.undecidedReason !== null) return true;
  return module.evidence.some((each) => each.weight === 'lead');
}

function rowsTable(modules: readonly ModuleReport[], terminal: Terminal): string {
  const rows = modules.map((each) => [
    printable(each.name),
    short(printable(each.license ?? 'none'), 24),
    loaderWords(each),
    String(each.gplOnly.length),
  ]);
  const lines = table([['MODULE', 'LICENSE', 'LOADER', 'GPL-ONLY'], ...rows], [3]).split('\n');
  const width = Math.max(...lines.map((line) => line.length));
  // A file or another program gets the whole text.
  const whyColumns = terminal.isTerminal ? Math.max(20, terminal.columns - width - 2) : Infinity;
  const why = ['WHY', ...modules.map((each) => short(printable(reasonOf(each)), whyColumns))];
  return lines.map((line, at) => `${line.padEnd(width)}  ${why[at] ?? ''}`.trimEnd()).join('\n');
}

const short = (text: string, max: number) =>
  text.length > max ? `${text.slice(0, max - 1)}…` : text;

function loaderWords(module: ModuleReport): string {
  const { loader } = module;
  if (loader.result === 'refuse') return `refused, ${loader.errnoName ?? 'no errno'}`;
  // An unknown key leaves the taint open, not whether it loads.
  const unknown = loader.unknown.length - (module.signature === 'unknown key' ? 1 : 0);
  const loads = unknown > 0 ? 'may load' : 'loads';
  const open = loader.taintsUnlessTrusted === '' ? '' : `${loader.taintsUnlessTrusted}?`;
  const taints = [loader.taints, open].filter((each) => each !== '').join(', ');
  return taints === '' ? loads : `${loads}, taints ${taints}`;
}

/** Returns the reason to show. Support comes before notes if the trust level rests on it. */
function reasonOf({ deniedReason, trustLevel, evidence, loader }: ModuleReport): string {
  if (deniedReason !== null) return `denied: ${deniedReason}`;
  const first = (weight: Evidence['weight']) => evidence.find((each) => each.weight === weight);
  const weighty = first('proof') ?? first('lead');
  if (weighty !== undefined) return weighty.message;
  const refused = loader.result === 'refuse' ? loader.reasons.at(-1) : undefined;
  if (refused !== undefined) return refused;
  const rest = trustLevel === 'unsupported' ? undefined : groundOf(trustLevel, evidence);
  return (rest ?? first('note') ?? first('support'))?.message ?? '';
}

const grounds: Readonly<Record<TrustLevel, RegExp | undefined>> = {
  contradicted: undefined,
  unsupported: undefined,
  consistent: /^source-consistent$/,
  signed: /^signed-by-/,
  reproduced: /^source-reproduced$/,
};

const groundOf = (trustLevel: TrustLevel, evidence: readonly Evidence[]): Evidence | undefined =>
  evidence.find(({ check }) => grounds[trustLevel]?.test(check));

const taint = (modules: number) => (modules === 1 ? 'taints' : 'taint');

const legends: readonly (readonly [shownBy: RegExp, text: string])[] = [
  [
    /^MODULE .*GPL-ONLY/m,
    'GPL-ONLY: number of symbols it uses that the kernel exports to GPL modules only',
  ],
  [
    /, taints (\w+, )?E\? /,
    'E?: taints the kernel E unless a keyring of the kernel holds the key that signed it',
  ],
];

const exportsWords = (from: string) =>
  from === 'nowhere'
    ? 'the exports of the kernel are not known: verdicts are incomplete'
    : `exports from ${from}`;

function summary({ counts, kernel }: ScanReport, shown: string, terminal: Terminal): string {
  const { tainting: surely, taintingUnlessTrusted: perhaps } = counts;
  const byTrustLevel = trustLevels
    .filter((each) => counts.trustLevels[each] > 0)
    .map((each) => `${counts.trustLevels[each]} ${each}`);
  const head = `${count(counts.modules, 'module')} for Linux ${kernel.release}: ${byTrustLevel.join(', ') || 'none'}`;
  const loader = [
    `the loader would accept ${counts.load}`,
    surely > 0 && `${surely} of them ${taint(surely)} the kernel`,
    perhaps > 0 &&
      `${perhaps} of them ${taint(perhaps)} the kernel if it does not trust their signing key`,
    `refuse ${counts.refuse}`,
  ].filter((each) => each !== false);
  const further = [
    counts.denied > 0 && `${counts.denied} denied`,
    counts.rejected > 0 &&
      `${counts.rejected} below the required trust level or denied by the policy`,
    counts.undecided > 0 &&
      `${counts.undecided} that cannot be checked against the required trust level`,
    counts.problems > 0 && `${count(counts.problems, 'problem')}, listed above`,
  ].filter((each) => each !== false);
  const explained = legends.flatMap(([shownBy, text]) => (shownBy.test(shown) ? [text] : []));
  const lines = [
    ...explained,
    head,
    loader.join(', '),
    ...further,
    exportsWords(kernel.exportsFrom),
    ...(kernel.settingsFrom === null ? [] : [`judged with ${kernel.settingsFrom}`]),
  ];
  return lines.map((line) => wrap(printable(line), terminal.columns, '  ')).join('\n');
}
