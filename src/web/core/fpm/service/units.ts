/**
 * The systemd units: a service for each tenant and PHP version, a socket for each of its pools, and a drop-in for the
 * distribution's service.
 *
 *     bulkhead-fpm84@1001.service        bulkhead-fpm84@1001:shop.socket        php8.4-fpm.service.d/bulkhead.conf
 *     bulkhead-fpm84@1001:shop.example.service
 *     bulkhead-fpm-ea-php84@1001.service        bulkhead-fpm-ea-php84@1001:shop.socket  ea-php84-php-fpm.service.d/bulkhead.conf
 *
 * A site's service has the name of the site. A pool's socket keeps its name, whichever service it starts. Each pool has
 * a socket of its own, so that another pool of the tenant does not touch the existing ones.
 * Source: systemd.socket(5), systemd.service(5).
 */
import { serviceStem } from '../../../../layouts/service-names.ts';
import { sliceOf } from '../../../../plan/slice.ts';
import { controlTimeoutSeconds } from './config.ts';
import { boundAt, socketDirectory } from './listen.ts';
import type { SplitService, ServicePool } from './split.ts';

/** The way a service enters its tenant's cgroup and jail. */
export interface ServiceEntry {
  /**
   * `launcher`: the launcher joins the cgroup, in Bulkhead's own tree. `slice`: the unit itself is in the tenant's or
   * the site's slice.
   */
  readonly kind: 'launcher' | 'slice';
  readonly instance: string;
  /** Whether the policy gives the service a jail. A site also has one if its tenant has. */
  readonly isJailed: boolean;
  /** Whether that jail is the site's own. */
  readonly isSiteJailed?: boolean;
}

export interface UnitSetting {
  /** First part of all names: `bulkhead`. */
  readonly instance: string;
  readonly php: string;
  readonly program: string;
  /** `/usr/lib/node_modules/bulkhead/dist/entry/x64/bulkhead-fpm`. */
  readonly launcher: string;
  /** `/usr/lib/node_modules/bulkhead/libexec`. */
  readonly libexec: string;
  /** The directory with tenants' configurations. */
  readonly directory: string;
  /** Whether systemd has PollLimitBurst=, from version 255. */
  readonly hasPollLimit: boolean;
}

type Named = Pick<UnitSetting, 'instance' | 'php'>;

export const unitStem = ({ instance, php }: Named): string => serviceStem(instance, php);

/** The parts of a service from which its names are made. */
export interface ServiceId {
  readonly tenant: { readonly uid: number };
  readonly site?: string;
}

export const serviceName = (setting: Named, { tenant: { uid }, site }: ServiceId): string =>
  `${unitStem(setting)}@${uid}${site === undefined ? '' : `:${site}`}.service`;

/** The length to which site names fit into unit names. */
export const siteNameMax = 200;

/** Returns the name of a configuration, in the directory of all configurations. */
export const configName = ({ tenant: { uid }, site }: ServiceId): string =>
  `${uid}${site === undefined ? '' : `-${site}`}.conf`;

export const isConfigName = (name: string): boolean => /^\d+(?:-[a-z0-9._-]+)?\.conf$/.test(name);

export const socketName = (setting: Named, uid: number, pool: string): string =>
  `${unitStem(setting)}@${uid}:${pool}.socket`;

/** Returns the pool of a socket unit with such a name. */
export const poolOfSocket = (name: string): string =>
  name.slice(name.indexOf(':') + 1, -'.socket'.length);

export interface UnitName {
  readonly uid: number;
  readonly type: 'service' | 'socket';
  /** The site of a service, if it is one of a site. */
  readonly site?: string;
}

/** Parses the name of a unit into its tenant, type and site; returns nothing if it is not one of ours. */
export function parseUnitName(setting: Named, name: string): UnitName | undefined {
  const stem = unitStem(setting);
  if (!name.startsWith(`${stem}@`)) return undefined;
  const match = unitName.exec(name.slice(stem.length + 1));
  const { uid, part, type } = match?.groups ?? {};
  if (uid === undefined) return undefined;
  if (type === 'socket') return part === undefined ? undefined : { uid: Number(uid), type };
  return { uid: Number(uid), type: 'service', ...(part === undefined ? {} : { site: part }) };
}

const unitName = /^(?<uid>[1-9]\d{0,9})(?::(?<part>[A-Za-z0-9_.-]+))?\.(?<type>service|socket)$/;

const header = '# Written by "bulkhead web fpm"; it is replaced when it differs.\n';

export function socketUnit(setting: UnitSetting, service: SplitService, pool: ServicePool): string {
  const { listen, backlog, name } = pool;
  const { tenant } = service;
  return `${header}[Unit]
Description=Socket of pool ${name} of PHP ${setting.php}, tenant ${tenant.user}
Documentation=man:bulkhead(8)
${unlessStopped(setting, service)}
[Socket]
ListenStream=${boundAt(listen)}
FileDescriptorName=${listen.stream}
Service=${serviceName(setting, service)}
Backlog=${backlog}
${socketFile(pool)}# A service that does not start must not use up a processor, nor make the socket fail for good.
TriggerLimitIntervalSec=0
${setting.hasPollLimit ? 'PollLimitIntervalSec=10s\nPollLimitBurst=5\n' : ''}
[Install]
WantedBy=sockets.target
`;
}

/** A pool that comes while its tenant is stopped gets a socket that waits for the start. */
const unlessStopped = ({ instance }: UnitSetting, { tenant: { uid } }: SplitService): string =>
  `ConditionPathExists=!/var/lib/${instance}/stopped/${uid}\n`;

const socketFile = ({ listen, owner, group, mode }: ServicePool): string =>
  [
    ...(owner === undefined ? [] : [`SocketUser=${owner}`]),
    ...(group === undefined ? [] : [`SocketGroup=${group}`]),
    `SocketMode=${mode}`,
    '# In one step, from whoever has the path: requests that come in find the one or the other.',
    `ExecStartPost=/bin/ln -fT ${boundAt(listen)} ${listen.stream}`,
    '',
  ].join('\n');

/** The time to stop, longer than the master gives its workers. */
const stopSeconds = controlTimeoutSeconds + 10;

export function serviceUnit(
  setting: UnitSetting,
  service: SplitService,
  entry: ServiceEntry,
): string {
  const { php, directory, instance } = setting;
  const { tenant, site, asRoot } = service;
  const { kind, isJailed, isSiteJailed } = entry;
  const config = `${directory}/${configName(service)}`;
  const ofSite = site === undefined ? '' : `, site ${site}`;
  const privilege = privilegeOf(service, kind);
  return `${header}[Unit]
Description=PHP ${php} of tenant ${tenant.user}${ofSite}${isSiteJailed === true ? ', in the jail of the site' : isJailed ? ', in its jail' : ''}
Documentation=man:bulkhead(8)
${unlessStopped(setting, service)}StartLimitIntervalSec=0
After=network.target ${instance}-tenants.service ${instance}-jail.service

[Service]
# The master is the tenant's: what it could tell systemd is how long to wait for it (EXTEND_TIMEOUT_USEC=).
Type=exec
NotifyAccess=none
${kind === 'slice' ? placeOf(service) : ''}ExecStart=${fpmWords(setting, 'start', service, entry, config)}
${isJailed ? `ExecReload=${fpmWords(setting, 'copy', service, entry, config)}\n` : ''}ExecReload=${privilege}/bin/kill -USR2 $MAINPID
# A reload that comes before php-fpm can take it ends it; it starts again with the next request.
SuccessExitStatus=SIGUSR2
# Requests in progress are finished; SIGTERM would drop them.
KillSignal=SIGQUIT
KillMode=mixed
SendSIGKILL=yes
TimeoutStopSec=${stopSeconds}
# A worker that uses up the tenant's memory ends alone.
OOMPolicy=continue
${kind === 'slice' ? '' : endWorkers(service)}${slowFailure(privilege)}${asRoot === undefined ? '' : keepSockets(service)}`;
}

/**
 * Returns `Slice=` and `User=`. The launcher still starts as root, since only root can enter jails. `User=` makes HOME
 * and the like the tenant's.
 */
function placeOf({ tenant: { uid }, site, asRoot }: SplitService): string {
  const slice = `Slice=${sliceOf(site === undefined ? { uid } : { uid, site })}`;
  return [slice, ...(asRoot === undefined ? [`User=${uid}`] : []), ''].join('\n');
}

/**
 * Returns the prefix with which a program runs as root despite User=. Outside its jail, the kernel lets a tenant start
 * nothing. The "+" would also lift ReadOnlyPaths=.
 */
const privilegeOf = ({ asRoot }: SplitService, kind: ServiceEntry['kind']) =>
  kind === 'slice' && asRoot === undefined ? '+' : '';

function fpmWords(
  { launcher, program }: UnitSetting,
  how: 'start' | 'copy',
  service: SplitService,
  { instance, kind }: ServiceEntry,
  config: string,
): string {
  const {
    tenant: { uid, gid },
    site,
    asRoot,
  } = service;
  const isRoot = asRoot !== undefined;
  const ways = {
    launcher: isRoot ? `root ${instance} ${uid}` : `tenant ${instance} ${uid}`,
    slice: isRoot ? `slice-root ${instance} ${uid}` : `slice ${instance} ${uid}:${gid}`,
  };
  const words = how === 'copy' ? `copy ${instance} ${uid}` : ways[kind];
  return `${privilegeOf(service, kind)}${launcher} ${words} ${program} ${config}${site === undefined ? '' : ` ${site}`}`;
}

/**
 * Ends workers whose master was killed: they live on and take requests from its socket. systemd only knows the unit's
 * own cgroup, which is empty. Their parent is systemd then, and they are called `php-fpm: pool shop.example`; a master
 * that the tenant runs itself is not.
 */
const endWorkers = ({ tenant }: SplitService): string =>
  `ExecStopPost=-/usr/bin/pkill -QUIT -P 1 -U ${tenant.uid} -f '^php-fpm: pool '\n`;

const slowFailure = (
  privilege: string,
) => `# Whatever its sockets ask for, a service that fails is not tried again at once.
ExecStopPost=${privilege}/bin/sh -c 'test "$SERVICE_RESULT" = success || sleep 2'
`;

/** Protects socket paths: a root master removes its sockets when it ends. */
function keepSockets({ pools }: SplitService): string {
  const directories = pools.map(({ listen }) => socketDirectory(listen.stream));
  return [...new Set(directories)].map((each) => `ReadOnlyPaths=${each}\n`).join('');
}

/** Returns the drop-in of the distribution's unit. `policy` is undefined for the default policy file. */
export function distributionDropIn(setting: UnitSetting, policy: string | undefined): string {
  const { libexec, instance, php, program, directory } = setting;
  const more = policy === undefined ? '' : ` ${policy}`;
  const split = (when: string) =>
    // "+" runs it outside the sandbox that this service may have, since it writes Bulkhead's files.
    `+${libexec}/bulkhead-fpm-sync ${instance} ${php} ${when}${more}`;
  return `${header}# Pools of tenants that have a service of their own are left out. Whatever happens to Bulkhead, this service starts.
[Service]
# The division has two minutes.
TimeoutStartSec=180
ExecStartPre=-${split('start')}
ExecStart=
ExecStart=${program} --nodaemonize --fpm-config ${directory}/php-fpm.conf
ExecReload=
ExecReload=-${split('reload')}
ExecReload=/bin/kill -USR2 $MAINPID
# If this fails, so does the reload; the service goes on.
ExecReload=${split('reloaded')}
`;
}
