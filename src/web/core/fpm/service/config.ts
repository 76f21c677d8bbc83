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
 * A copy, so that what was checked is what runs: a pool file that is broken later does not keep the site from
 * starting again, and an account need not be able to read the original.
 */
import type { FpmSection } from '../dump.ts';
import type { Service, ServiceTenant } from './split.ts';

/** Requests in progress have this long when the master is stopped or reloaded. */
export const controlTimeoutSeconds = 50;

const header = `; Written by "bulkhead web fpm"; it is replaced when php-fpm is reloaded and the pool files below have changed.\n`;

export function serviceConfig(service: Service, php: string): string {
  const { tenant, site, files } = service;
  const ident = site === undefined ? tenant.user : `${tenant.user}/${site}`;
  return [
    header,
    '[global]\n',
    'error_log = syslog\n',
    `syslog.ident = php-fpm${php}-${ident}\n`,
    'daemonize = no\n',
    `process_control_timeout = ${controlTimeoutSeconds}s\n`,
    ...processesMax(service),
    ...files.map(
      ({ path, text }) => `\n${fileMark}${path}\n${text}${text.endsWith('\n') ? '' : '\n'}`,
    ),
  ].join('');
}

/**
 * Entries, over all pools. But each pool gets the workers that it has without a request: php-fpm starts pools in
 * their order, and the last ones would have none.
 */
function processesMax({ tenant, site, pools }: Service): readonly string[] {
  const entries = entriesOf(tenant, site);
  if (entries === undefined) return [];
  const none = new Map<string, string>();
  const first = pools.reduce((sum, { section }) => sum + firstWorkers(section?.values ?? none), 0);
  return [`process.max = ${pools.length > 1 ? Math.max(entries, first) : entries}\n`];
}

/** The least of the tenant's entries and those of the site. */
export function entriesOf(tenant: ServiceTenant, site: string | undefined): number | undefined {
  const ofSite = tenant.sites?.find(({ name }) => name === site)?.entries;
  return least(tenant.entries, ofSite);
}

const least = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

/** The workers that a pool with these values has without a request. */
export function firstWorkers(values: FpmSection['values']): number {
  const value = (key: string) => Number(values.get(key) ?? 0);
  const manager = values.get('pm');
  if (manager === 'static') return value('pm.max_children');
  if (manager === 'dynamic')
    return Math.max(value('pm.start_servers'), value('pm.min_spare_servers'));
  return 1;
}

export const fileMark = '; file ';

/** Where a line of such a text was written: in the file that it is a copy of. */
export function originOfLine(
  config: string,
  line: number,
): { file: string; line: number } | undefined {
  const before = config.split('\n').slice(0, line);
  const mark = before.findLastIndex((each) => each.startsWith(`${fileMark}/`));
  const file = before[mark]?.slice(fileMark.length);
  return file === undefined ? undefined : { file, line: line - mark - 1 };
}

/** Workers that wait at the start: a burst on a socket that has just been opened is served by as many. */
const startMax = 5;
/** Where the policy sets no entries. */
const childrenDefault = 20;

/** A pool for a tenant that has none. */
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
  `/run/php/php${php}-fpm-bulkhead-${user}.sock`;
