/**
 * The configuration of a tenant's master: settings of its own, then the pool files as they are.
 *
 *     [global]
 *     error_log = syslog
 *     process.max = 20
 *
 *     ; /etc/php/8.4/fpm/pool.d/alice.conf
 *     [alice]
 *     …
 *
 * It contains copies, so that the checked text is the one that runs. A pool file that is broken later does not
 * keep the site from starting again. The account need not be able to read the original.
 */
import { socketsOf } from '../../../../layouts/layouts.ts';
import { fpmName, socketStem } from '../../../../layouts/service-names.ts';
import type { FpmSection } from '../dump.ts';
import type { SplitService, ServiceTenant } from './split.ts';

/** The time that requests in progress have when the master is stopped or reloaded. */
export const controlTimeoutSeconds = 50;

const header = `; Written by "bulkhead web fpm"; it is replaced when php-fpm is reloaded and the pool files below have changed.\n`;

export function serviceConfig(service: SplitService, php: string): string {
  const { tenant, site, files } = service;
  const ident = site === undefined ? tenant.user : `${tenant.user}/${site}`;
  return [
    header,
    '[global]\n',
    'error_log = syslog\n',
    `syslog.ident = ${fpmName(php)}-${ident}\n`,
    'daemonize = no\n',
    `process_control_timeout = ${controlTimeoutSeconds}s\n`,
    ...processesMax(service),
    ...files.map(
      ({ path, text }) => `\n${fileMark}${path}\n${text}${text.endsWith('\n') ? '' : '\n'}`,
    ),
  ].join('');
}

/**
 * Limits the processes of all pools together to the entries. Each pool still gets the workers that it has
 * without a request: php-fpm starts pools in order, and the last ones would have none.
 */
function processesMax({ tenant, site, pools }: SplitService): readonly string[] {
  const entries = entriesOf(tenant, site);
  if (entries === undefined) return [];
  const none = new Map<string, string>();
  const first = pools.reduce((sum, { section }) => sum + firstWorkers(section?.values ?? none), 0);
  return [`process.max = ${pools.length > 1 ? Math.max(entries, first) : entries}\n`];
}

/** Returns the lower of the tenant's and the site's entries. */
export function entriesOf(tenant: ServiceTenant, site: string | undefined): number | undefined {
  const ofSite = tenant.sites?.find(({ name }) => name === site)?.entries;
  return least(tenant.entries, ofSite);
}

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

/** Returns the number of workers that a pool with these values has without a request. */
export function firstWorkers(values: FpmSection['values']): number {
  const value = (key: string) => Number(values.get(key) ?? 0);
  const manager = values.get('pm');
  if (manager === 'static') return value('pm.max_children');
  if (manager === 'dynamic')
    return Math.max(value('pm.start_servers'), value('pm.min_spare_servers'));
  return 1;
}

export const fileMark = '; file ';

/** Returns the file and line from which a line of the configuration was copied. */
export function originOfLine(
  config: string,
  line: number,
): { file: string; line: number } | undefined {
  const before = config.split('\n').slice(0, line);
  const mark = before.findLastIndex((each) => each.startsWith(`${fileMark}/`));
  const file = before[mark]?.slice(fileMark.length);
  return file === undefined ? undefined : { file, line: line - mark - 1 };
}

/** The limit for workers at the start. They serve the first burst of requests at a new socket. */
const startMax = 5;
/** The number of workers if the policy sets no entries. */
const childrenDefault = 20;

/** Returns the text of a pool for a tenant that has none. */
export function ownPool({ user, entries }: ServiceTenant, php: string, webGroup: string): string {
  const children = entries ?? childrenDefault;
  const start = Math.min(startMax, children);
  return [
    `[bulkhead-${user}]\n`,
    `user = ${user}\n`,
    `listen = ${ownSocket(user, php)}\n`,
    `listen.owner = root\n`,
    `listen.group = ${webGroup}\n`,
    'listen.mode = 0660\n',
    'pm = dynamic\n',
    `pm.max_children = ${children}\n`,
    `pm.start_servers = ${start}\n`,
    `pm.min_spare_servers = ${start}\n`,
    `pm.max_spare_servers = ${Math.min(2 * start, children)}\n`,
  ].join('');
}

export const ownSocket = (user: string, php: string): string =>
  `${socketsOf(php)}/${socketStem(php)}-bulkhead-${user}.sock`;
