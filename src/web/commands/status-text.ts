/** The table of sites, and the notes below it. */
import { table, wrap, type Terminal } from '../../cli/shared/terminal.ts';
import { printable } from '../../../packages/base/printable.ts';
import { cutTo } from '../../cli/shared/width.ts';
import { boundsText, siteBounds, type EntryLimits } from '../core/entries/limits.ts';
import { siteLabel, type Note } from '../core/notes.ts';
import type { Overview, SiteView } from '../core/overview.ts';
import { ownLimitsOf, ownLimitsText, type SiteLimitIndex } from '../core/site-limits.ts';

const nameColumns = 40;
const handlerColumns = 44;
const limitColumns = 44;
/** The number of sites or places shown in a note. The rest is counted; `--json` has all. */
const aboutMax = 5;
const notesMax = 200;

interface Shown extends Pick<Terminal, 'columns'> {
  readonly entryLimits?: EntryLimits;
  readonly siteLimits?: SiteLimitIndex;
}

export function overviewText(
  overview: Overview,
  notes: readonly Note[],
  { columns, entryLimits = new Map(), siteLimits = new Map() }: Shown,
): string {
  const lines = noteLines(notes, columns);
  return [
    sitesText(overview, entryLimits, siteLimits),
    ...(lines.length === 0 ? [] : [lines.join('\n')]),
  ].join('\n\n');
}

export function noteLines(notes: readonly Note[], columns: number): readonly string[] {
  const lines = notes.slice(0, notesMax).map((each) => wrap(noteText(each), columns, '  '));
  const more = notes.length - lines.length;
  return more > 0 ? [...lines, `… and ${more} more`] : lines;
}

function sitesText(
  { servers, sites }: Overview,
  limits: EntryLimits,
  siteLimits: SiteLimitIndex,
): string {
  if (servers.length === 0)
    return 'No web server is installed: there is no nginx, Apache or PHP-FPM where a distribution or a panel installs it';
  if (sites.length === 0)
    return `No site was found in ${servers.map(({ name }) => name).join(', ')}`;
  const isLimited = sites.some((each) => siteBounds(each, limits).length > 0);
  const entriesOf = (site: SiteView) => (isLimited ? [boundsText(siteBounds(site, limits))] : []);
  const isDivided = siteLimits.size > 0;
  const ownOf = (site: SiteView) =>
    isDivided ? [cutTo(ownLimitsText(ownLimitsOf(site, siteLimits)), limitColumns)] : [];
  const rows = sites
    .map((site) => [...rowOf(site), ...entriesOf(site), ...ownOf(site)])
    .toSorted(([a = ''], [b = '']) => (a < b ? -1 : a > b ? 1 : 0));
  const header = [
    'SITE',
    'OWNER',
    'SERVER',
    'HANDLER',
    'PLACED',
    ...(isLimited ? ['ENTRIES'] : []),
    ...(isDivided ? ['OWN LIMITS'] : []),
  ];
  return table([header, ...distinctRows(rows)]);
}

function rowOf(site: SiteView): readonly string[] {
  const others = site.names.length - 1;
  const more = others > 0 ? ` (+${others})` : '';
  return [
    cutTo(printable(siteLabel(site)), nameColumns) + more,
    printable(site.owner?.name ?? '-'),
    site.server,
    cutTo(printable(site.handledBy.join(', ')), handlerColumns),
    placedText(site),
  ];
}

function placedText({ placed: { kind, seen } }: SiteView): string {
  if (kind === 'nothing to place') return '-';
  if (kind !== 'caught' || seen === undefined || seen.workers === 0) return kind;
  return `caught (${seen.workersInside} of ${seen.workers} workers inside)`;
}

/** Merges equal rows: a site at two ports is one row if all else is equal. */
export function distinctRows(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const key = JSON.stringify(row);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function noteText({ message, about }: Note): string {
  const shown = about.slice(0, aboutMax).join(', ');
  const more = about.length > aboutMax ? ` and ${about.length - aboutMax} more` : '';
  return printable(about.length === 0 ? message : `${message}: ${shown}${more}`);
}
