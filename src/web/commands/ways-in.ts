/**
 * Counts how PHP-FPM and CGI start processes for the sites of this server. Asks each web server for its
 * configuration.
 */
import {
  heldOrder,
  type Held,
  type WayContext,
  type WayKnowledge,
  type WayName,
} from '../../host/ways/ways-in.ts';
import type { Overview, SiteView } from '../core/overview.ts';
import { findWebPrograms } from '../io/servers.ts';
import { surveyWeb } from '../io/survey.ts';
import { tenancyOf } from './tenancy.ts';

export async function webWaysIn({ paths, policy }: WayContext): Promise<WayKnowledge> {
  // They show their configuration only to root.
  if (process.geteuid?.() !== 0) return {};
  return waysOfSites(await surveyWeb(findWebPrograms(), tenancyOf(paths, policy)));
}

/**
 * Counts sites by entry path; returns nothing if no web server was found, since other programs may serve sites.
 */
export function waysOfSites({ servers, sites }: Pick<Overview, 'servers' | 'sites'>): WayKnowledge {
  if (!servers.some(({ name }) => !name.startsWith('php-fpm'))) return {};
  // Sites that nginx passes on to Apache count there.
  const own = sites.filter(
    ({ handledBy }) => !handledBy.some((each) => each.startsWith('Apache,')),
  );
  return { counts: { 'PHP-FPM': count(own, 'PHP-FPM'), CGI: count(own, 'CGI') } };
}

function count(sites: readonly SiteView[], way: WayName): Readonly<Partial<Record<Held, number>>> {
  const helds = sites.filter((each) => waysOf(each).includes(way)).map(({ placed }) => placed.kind);
  return Object.fromEntries(
    heldOrder.flatMap((held) => {
      const number = helds.filter((each) => each === held).length;
      return number === 0 ? [] : [[held, number]];
    }),
  );
}

function waysOf({ handlers, handledBy }: SiteView): readonly WayName[] {
  return handlers.flatMap((handler, index): WayName[] => {
    if (handledBy[index]?.startsWith('FPM ') === true) return ['PHP-FPM'];
    return handler.kind === 'cgi' || handler.kind === 'fastcgi' ? ['CGI'] : [];
  });
}
