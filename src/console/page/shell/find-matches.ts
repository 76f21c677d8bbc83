/** The matches of the field in the bar: tenants, and columns by their words here or in LVE Manager. */
import type { LiveMember } from '../state/live.ts';
import { href } from '../state/route.ts';
import type { Words } from '../words/words.ts';

export interface FoundMatch {
  readonly title: string;
  readonly note: string;
  readonly href: string;
}

const matchesMax = 8;

/** The columns of the table of tenants, with the names that LVE Manager has for them. */
const columns = [
  { key: 'cpu', limit: 'cpu.limit', synonyms: ['SPEED', 'CPU'] },
  { key: 'memory', limit: 'memory.limit', synonyms: ['PMEM', 'VMEM', 'RAM'] },
  { key: 'disk', limit: 'io.total', synonyms: ['IO', 'IOPS'] },
  { key: 'processes', limit: 'processes.limit', synonyms: ['NPROC', 'EP'] },
] as const;

export function findMatches(
  text: string,
  members: readonly LiveMember[],
  words: Words,
): readonly FoundMatch[] {
  const asked = text.trim().toLowerCase();
  if (asked === '') return [];
  return [
    ...incidentMatch(asked, words),
    ...columnMatches(asked, words),
    ...named(asked, members),
  ].slice(0, matchesMax);
}

function incidentMatch(asked: string, words: Words): readonly FoundMatch[] {
  const [, id] = /^#?(\d{1,9})$/.exec(asked) ?? [];
  if (id === undefined) return [];
  return [{ title: `#${id}`, note: words.shell.pages.incidents, href: href(['incidents', id]) }];
}

const columnMatches = (asked: string, words: Words): readonly FoundMatch[] =>
  columns
    .filter(
      ({ limit, synonyms }) =>
        words.limits[limit].toLowerCase().startsWith(asked) ||
        synonyms.some((each) => each.toLowerCase() === asked),
    )
    .map(({ key, limit }) => ({
      title: words.limits[limit],
      note: words.shell.sortedTenants,
      href: href(['tenants'], { sort: key }),
    }));

/** Returns the members whose name has the text, those that begin with it first. */
function named(asked: string, members: readonly LiveMember[]): readonly FoundMatch[] {
  const found = members
    .map(({ who }) => ({ who, at: who.name.toLowerCase().indexOf(asked) }))
    .filter(({ who, at }) => at >= 0 && who.kind === 'tenant')
    .sort((a, b) => a.at - b.at || (a.who.name < b.who.name ? -1 : 1));
  return found.slice(0, matchesMax).map(({ who }) => ({
    title: who.name,
    note: [who.package, who.reseller].filter((each) => each !== undefined).join(' · '),
    href: href(['tenants', who.name]),
  }));
}

/** Whether a member is found by a text: its name, its reseller or its package. */
export function isFoundBy({ who }: LiveMember, text: string): boolean {
  const asked = text.trim().toLowerCase();
  return [who.name, who.reseller, who.package].some(
    (each) => each !== undefined && each.toLowerCase().includes(asked),
  );
}
