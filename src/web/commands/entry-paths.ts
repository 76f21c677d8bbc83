/**
 * Counts how PHP-FPM and CGI start processes for the sites of this server. Asks each web server for its
 * configuration.
 */
import {
  enforcedOrder,
  type Enforced,
  type EntryPathContext,
  type EntryPathKnowledge,
  type EntryPathName,
} from '../../host/entry-paths/entry-paths.ts';
import type { Overview, SiteView } from '../core/overview.ts';
import { surveyOnce } from './survey-once.ts';

export async function webEntryPaths({
  paths,
  policy,
}: EntryPathContext): Promise<EntryPathKnowledge> {
  // They show their configuration only to root.
  if (process.geteuid?.() !== 0) return {};
  return entryPathsOfSites(await surveyOnce(paths, policy));
}

/**
 * Counts sites by entry path; returns nothing if no web server was found, since other programs may serve sites.
 */
export function entryPathsOfSites({
  servers,
  sites,
}: Pick<Overview, 'servers' | 'sites'>): EntryPathKnowledge {
  if (!servers.some(({ name }) => !name.startsWith('php-fpm'))) return {};
  // Sites that nginx passes on to Apache count there.
  const own = sites.filter(
    ({ handledBy }) => !handledBy.some((each) => each.startsWith('Apache,')),
  );
  return { counts: { 'PHP-FPM': count(own, 'PHP-FPM'), CGI: count(own, 'CGI') } };
}

function count(
  sites: readonly SiteView[],
  entryPath: EntryPathName,
): Readonly<Partial<Record<Enforced, number>>> {
  const kinds = sites
    .filter((each) => entryPathsOf(each).includes(entryPath))
    .map(({ placed }) => placed.kind);
  return Object.fromEntries(
    enforcedOrder.flatMap((enforced) => {
      const number = kinds.filter((each) => each === enforced).length;
      return number === 0 ? [] : [[enforced, number]];
    }),
  );
}

function entryPathsOf({ handlers, handledBy }: SiteView): readonly EntryPathName[] {
  return handlers.flatMap((handler, index): EntryPathName[] => {
    if (handledBy[index]?.startsWith('FPM ') === true) return ['PHP-FPM'];
    return ['cgi', 'fastcgi', 'wrapper', 'external'].includes(handler.kind) ? ['CGI'] : [];
  });
}
