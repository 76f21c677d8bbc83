/**
 * The site that each pool serves: by the web servers' own configurations, or as installed if they cannot be read now.
 */
import { readdirSync } from 'node:fs';
import { readText } from '../../../../packages/base/io/read.ts';
import { statusValue } from '../../../sys/processes/process-status.ts';
import { programOf } from '../../../sys/processes/program-of.ts';
import { PoolSites } from '../../core/fpm/service/pool-sites.ts';
import type { ServiceTenant, SplitFacts } from '../../core/fpm/service/split.ts';
import { parseUnitName, siteNameMax } from '../../core/fpm/service/units.ts';
import { rankedSites, type RankedSites } from '../../core/site.ts';
import { readApache, readNginx, type ReadWeb, type WebPrograms } from '../servers.ts';
import { serviceOf, streamsOf, type Installed } from './installed.ts';
import type { FpmLayout } from './layout.ts';

/** Reads the sites of pools. If no tenant has sites, no web server is asked. */
export async function readPoolSites(
  { nginx, apache }: Pick<WebPrograms, 'nginx' | 'apache'>,
  tenants: readonly ServiceTenant[],
  layout: FpmLayout,
  installed: Installed,
): Promise<SplitFacts['siteOf']> {
  if (!tenants.some(({ sites = [] }) => sites.length > 0)) return () => undefined;
  const servers = await Promise.all<ReadWeb>([
    ...(nginx === undefined ? [] : [readNginx(nginx)]),
    ...(apache === undefined ? [] : [readApache(apache)]),
  ]);
  // A server that does not run passes on nothing, such as an Apache that is only installed.
  if (servers.some((each) => isUnknown(each) && isRunning(each.program)))
    return siteNow(layout, installed);
  const pools = new PoolSites(servers.flatMap(({ sites }) => sites));
  return (tenant, listen) => pools.at(listen, sitesOf(tenant));
}

/** Whether nothing is known of a server's requests, since its configuration is not accepted. */
const isUnknown = ({ sites, problems }: ReadWeb) => sites.length === 0 && problems.length > 0;

/**
 * Whether the program runs as root: any account can run the program itself. The process's owner has to be asked first,
 * since a tenant can make the caller that asks for its program wait for ever.
 */
function isRunning(program: string): boolean {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.some(
    (pid) => isRoot(readText(`/proc/${pid}/status`) ?? '') && programOf(pid) === program,
  );
}

const isRoot = (status: string) => statusValue(status, 'Uid')?.startsWith('0\t') === true;

/** Returns the sites whose names fit into unit names, which have at most 255 characters. */
const sitesOf = ({ sites = [] }: ServiceTenant): RankedSites =>
  rankedSites(sites.filter(({ name }) => name.length <= siteNameMax));

function siteNow(layout: FpmLayout, { units, files }: Installed): SplitFacts['siteOf'] {
  const now = new Map(
    [...units.keys()].flatMap((name) => {
      const content = files.get(`${layout.units}/${name}`);
      const service = serviceOf(content);
      const site = service === undefined ? undefined : parseUnitName(layout, service)?.site;
      return site === undefined ? [] : streamsOf(content).map((stream) => [stream, site] as const);
    }),
  );
  return (tenant, listen) => {
    const site = now.get(listen);
    return site !== undefined && sitesOf(tenant).some((each) => each.has(site)) ? site : undefined;
  };
}
