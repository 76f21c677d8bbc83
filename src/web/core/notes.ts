/**
 * Notes for an administrator about the sites: facts, and what to do about them. Equal notes are
 * merged.
 */
import type { Overview, SiteView } from './overview.ts';
import type { Placed } from './placement.ts';
import type { OverridingDirective } from './site.ts';

export interface Note {
  /** The note, a sentence for people. */
  readonly message: string;
  /** The sites, or places in files, that the note is about. */
  readonly about: readonly string[];
}

export function webNotes(overview: Overview): readonly Note[] {
  return [
    ...overview.panels.flatMap(({ name, customers }) => [
      { message: `This is the layout of ${name}`, about: [] },
      ...customers.map((each) => ({
        message: `Sites of ${each.name} run as several accounts, each of which has limits of its own`,
        about: each.users,
      })),
    ]),
    ...placementNotes(overview.sites),
    ...overview.poolFindings.map(({ pool, php, message }) => ({
      message: `Pool ${pool} of PHP ${php}: ${message}`,
      about: [],
    })),
    ...alike(
      overview.sites.flatMap((site) => site.findings.map((message) => [message, siteLabel(site)])),
    ),
    ...overrideNotes(overview.sites),
  ];
}

/** Returns the site's first name, or where it listens. */
export function siteLabel({ names, listen }: Pick<SiteView, 'names' | 'listen'>): string {
  return names[0] ?? `(any name, ${listen[0] ?? ''})`;
}

const advice: Readonly<Partial<Record<Placed['kind'], string>>> = {
  caught:
    'caught after the start: a process begins outside, and memory that it allocates before it is moved stays uncharged for its life',
  'not covered': 'not covered by the limits of its tenant',
  unknown: 'not known to be covered',
  'not running': 'not running, so its place cannot be seen',
};

function placementNotes(sites: readonly SiteView[]): readonly Note[] {
  return alike(
    sites.flatMap((site) => {
      const { kind, reason, remedy } = site.placed;
      const words = advice[kind];
      if (words === undefined) return [];
      const text = kind === 'caught' ? words : `${words}: ${reason}`;
      return [[capital(remedy === undefined ? text : `${text}; ${remedy}`), siteLabel(site)]];
    }),
  );
}

const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);

const lost: Readonly<Record<OverridingDirective['directive'], string>> = {
  limit_conn: 'a limit_conn of the http level does not apply to it',
  access_log: 'an access_log of the http level does not see its requests',
  add_header: 'an add_header of the http level does not apply to it',
};

function overrideNotes(sites: readonly SiteView[]): readonly Note[] {
  return alike(
    sites.flatMap(({ overrides }) =>
      overrides.map(({ directive, file, line }) => [
        `A vhost has a directive ${directive} of its own: ${lost[directive]}`,
        `${file}:${line}`,
      ]),
    ),
  );
}

/** Merges pairs of a message and its subject into one note for each message. */
export function alike(pairs: readonly (readonly string[])[]): readonly Note[] {
  const groups = new Map<string, Set<string>>();
  for (const [message = '', about = ''] of pairs)
    groups.set(message, (groups.get(message) ?? new Set()).add(about));
  return [...groups].map(([message, about]) => ({ message, about: [...about] }));
}
