/** Finds the sites of tenants that are served, for a command that was given one. */
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { servedSites, type ServedSites } from '../core/served-sites.ts';
import { findWebPrograms } from '../io/find-programs.ts';
import { surveyOnce } from './survey-once.ts';

/** Returns undefined if there is no web server, or one that does not show all that it serves. */
export async function sitesServedHere(
  paths: Paths,
  policy: Policy,
): Promise<ServedSites | undefined> {
  const programs = findWebPrograms();
  const { nginx, apache, liteSpeed } = programs;
  if ([nginx, apache, liteSpeed].every((each) => each === undefined)) return undefined;
  const { servers, sites } = await surveyOnce(paths, policy);
  if (servers.some(({ problems }) => problems.length > 0)) return undefined;
  return servedSites(sites);
}
