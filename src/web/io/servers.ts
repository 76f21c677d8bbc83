/** How each web server, and each PHP-FPM, prints its own configuration. */
import { formatCause } from '../../../packages/base/problem.ts';
import { statSync } from 'node:fs';
import type { FoundLiteSpeed } from '../../host/servers/find-servers.ts';
import { fpmName } from '../../layouts/service-names.ts';
import { parseApacheDump } from '../core/apache/dump.ts';
import { pidFilesOf } from '../core/apache/pid-file.ts';
import { apacheSites } from '../core/apache/sites.ts';
import type { Directive, ReadProblem } from '../core/directive.ts';
import { lacksPools, parseFpmDump } from '../core/fpm/dump.ts';
import { splitNginxDump } from '../core/nginx/dump.ts';
import { httpLevelOf, type NginxHttp } from '../core/nginx/http-level.ts';
import { nginxSites } from '../core/nginx/sites.ts';
import type { ServerRead } from '../core/overview.ts';
import type { Pool } from '../core/fpm/pools.ts';
import { parseServerError } from '../core/server-error.ts';
import type { ServerSite } from '../core/site.ts';
import { readPoolPlaces } from './pool-files.ts';
import { runBounded, type Output } from '../../sys/processes/run-bounded.ts';

export interface NginxProgram {
  readonly program: string;
  /** Arguments before `-T`, such as those that select another configuration. */
  readonly args: readonly string[];
  /** The configuration directory: `/etc/nginx`. */
  readonly directory: string;
}

export interface ApacheProgram extends NginxProgram {
  readonly modInfo: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The path of Bulkhead's own file, which the main file includes. */
  readonly ownFile: string;
  /** The file with the master's process id, if the configuration names none. */
  readonly pidFile: string;
}

export interface FpmProgram {
  readonly program: string;
  /** The name of the build: `8.4` of Debian, `ea-php83` of cPanel. */
  readonly php: string;
  readonly configuration: string;
}

/** A web server or a PHP-FPM that is here, and that Bulkhead leaves alone. */
export interface NotServed {
  /** The web server; absent for a PHP-FPM. */
  readonly server?: 'nginx' | 'Apache';
  /** The name of the build of PHP: `ea-php83`. Absent for a web server, and if no layout has it. */
  readonly php?: string;
  /** The path of its program. */
  readonly program: string;
  /** The main file of its configuration. */
  readonly configuration: string;
  /** The reason, a clause about it. */
  readonly reason: string;
}

export interface WebPrograms {
  readonly nginx?: NginxProgram;
  readonly apache?: ApacheProgram;
  /** LiteSpeed, of which files are read and nothing is run. */
  readonly liteSpeed?: FoundLiteSpeed;
  readonly fpm: readonly FpmProgram[];
  readonly notServed?: readonly NotServed[];
}

interface ReadSites extends ServerRead {
  readonly sites: readonly ServerSite[];
}

export interface ReadPools extends ServerRead {
  readonly pools: readonly Omit<Pool, 'uid'>[];
}

export interface ReadWeb extends ReadSites {
  /** The http level of nginx; absent if nginx does not accept its configuration. */
  readonly http?: NginxHttp;
  /** The paths at which Apache's master may have written its process id; empty if its configuration names none. */
  readonly pidFiles?: readonly string[];
  /** The files that Apache reads directives from. */
  readonly files?: ReadonlySet<string>;
}

/** Returns the path of Bulkhead's own file at the http level. */
export const nginxEntriesPath = ({ directory }: NginxProgram): string =>
  `${directory}/conf.d/bulkhead.conf`;

export async function readNginx(nginx: NginxProgram): Promise<ReadWeb> {
  const { program, args } = nginx;
  const server = { name: 'nginx', program };
  const run = await accepted(runBounded(program, [...args, '-T']));
  if ('problem' in run) return { ...server, sites: [], problems: [run.problem] };
  const dump = splitNginxDump(run.stdout, sizeOf);
  const { directives, problems, sites } = nginxSites(dump.files);
  const files = dump.files.map(({ path }) => path);
  const http = httpLevelOf(directives, files, nginxEntriesPath(nginx));
  return {
    ...server,
    sites,
    problems: [...dump.problems, ...problems],
    http,
  };
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

export async function readApache(apache: ApacheProgram): Promise<ReadWeb> {
  const { program, args, modInfo, environment } = apache;
  const server = { name: 'apache2', program };
  const info = ['-C', `LoadModule info_module ${modInfo}`, '-D', 'DUMP_CONFIG', '-t'];
  const run = await accepted(runBounded(program, [...info, ...args], { environment }));
  if ('problem' in run) return { ...server, sites: [], problems: [run.problem] };
  const { directives, problems } = parseApacheDump(Buffer.from(run.stdout).toString('utf8'));
  return {
    ...server,
    sites: apacheSites(directives),
    problems,
    files: filesOf(directives),
    pidFiles: pidFilesOf(directives, apache.directory),
  };
}

function filesOf(directives: readonly Directive[]): ReadonlySet<string> {
  return new Set(directives.flatMap(({ file, block = [] }) => [file, ...filesOf(block)]));
}

/** Reads the pools. A build that no site uses yet may have none, as panels install it; php-fpm refuses that. */
export async function readFpm({ program, php, configuration }: FpmProgram): Promise<ReadPools> {
  const server = { name: fpmName(php), program };
  const run = await accepted(runBounded(program, ['-tt', '-y', configuration]));
  if ('problem' in run)
    return { ...server, pools: [], problems: lacksPools(run.problem) ? [] : [run.problem] };
  const { places, problems } = readPoolPlaces(configuration);
  const pools = parseFpmDump(run.stderr).map((each) => ({
    ...each,
    php,
    places: places.get(each.name) ?? [],
  }));
  return { ...server, pools, problems };
}

type Accepted = Output | { readonly problem: ReadProblem };

async function accepted(running: ReturnType<typeof runBounded>): Promise<Accepted> {
  const run = await running;
  if (!run.ok) return { problem: { message: formatCause(run.error) } };
  if (run.value.status === 0) return run.value;
  return { problem: parseServerError(run.value.stderr) };
}
