/** The facts that `setup` finds on a host before it changes anything, and the screen that shows it. */
import { count, listSome } from '../../../packages/base/list.ts';
import { otherWriterText, type OtherWriter } from '../../../packages/base/other-writer.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';

/** CloudLinux' limits. */
export const veCfgPath = '/etc/container/ve.cfg';

/** Whether the host has limits of CloudLinux to take over. */
export const hasVeCfg = ({ cloudLinux }: Pick<HostLook, 'cloudLinux'>): boolean =>
  cloudLinux.includes(veCfgPath);

/** Whether the host has packages of a panel to take over. */
export const hasPackages = ({ packagesOf }: Pick<HostLook, 'packagesOf'>): boolean =>
  packagesOf !== null;

export interface FoundServer {
  /** The name of the web server. */
  readonly name: string;
  /** The path of its program. */
  readonly program: string;
  /** Whether `web entries` can limit its sites. */
  readonly isServed: boolean;
  /** Whether `web status` reads its configuration. */
  readonly isRead: boolean;
}

export interface FoundPhp {
  /** The path of php-fpm, or of LiteSpeed's lsphp. */
  readonly program: string;
  /** The distribution, repository or panel that it comes from. */
  readonly origin: string;
  /** The name by which `web fpm` knows it, such as `8.4` or `ea-php83`; null if it is not served. */
  readonly php: string | null;
  /** The directory of its pools; null if it has none, or if they are elsewhere. */
  readonly pools: string | null;
  /** Whether `web fpm` can move its pools to tenants' services. */
  readonly isServed: boolean;
}

export interface HostLook {
  /** The name and version of the distribution. */
  readonly distribution: string;
  /** The release of the kernel. */
  readonly kernel: string;
  /** The number of processors. */
  readonly cores: number;
  /** The memory, in bytes. */
  readonly memoryBytes: number;
  /** Whether systemd is the init. */
  readonly hasSystemd: boolean;
  /** Whether there is the account of the console's front, which the packages make. */
  readonly hasConsole: boolean;
  /** The names of control panels. */
  readonly panels: readonly string[];
  /** The panel whose packages `setup` can read; null without one. */
  readonly packagesOf: string | null;
  /** The web servers. */
  readonly webServers: readonly FoundServer[];
  /** Every php-fpm and lsphp. */
  readonly php: readonly FoundPhp[];
  /** The names of database servers. */
  readonly databases: readonly string[];
  /** The sockets of database servers that are there. */
  readonly databaseSockets: readonly string[];
  /** Accounts in the range of uids that belongs to people. */
  readonly accounts: readonly string[];
  /** Accounts among them that may become root. */
  readonly administrators: readonly string[];
  /** The range of uids of people, from /etc/login.defs. */
  readonly uids: string;
  /** Other programs that limit users' slices, or set their disk quotas. */
  readonly otherWriters: readonly OtherWriter[];
  /** Files that show that CloudLinux is in force. */
  readonly cloudLinux: readonly string[];
  /** Whether the policy exists already. */
  readonly hasPolicy: boolean;
}

/** Returns the screen: a line for each topic, and remarks on what needs a decision. */
export function lookLines(look: HostLook): readonly (readonly [label: string, text: string])[] {
  const some = (names: readonly string[]) => (names.length === 0 ? 'none' : listSome(names));
  const tenants = look.accounts.filter((each) => !look.administrators.includes(each));
  return [
    ['System', `${look.distribution}, Linux ${look.kernel}`],
    ['Machine', `${count(look.cores, 'core')}, ${shortBytes(look.memoryBytes)} of memory`],
    ['Init', look.hasSystemd ? 'systemd' : 'not systemd'],
    ['Panel', some(look.panels)],
    ['Web', some(look.webServers.map(({ name }) => name))],
    ['PHP', some(look.php.map(({ program }) => program))],
    ['Database', some(look.databases)],
    ['Accounts', tenants.length === 0 ? 'none' : `${tenants.length}: ${listSome(tenants)}`],
  ];
}

/** Returns remarks on web servers whose requests Bulkhead does not count. It reads only LiteSpeed's configuration. */
function serverRemarks(servers: readonly FoundServer[]): readonly string[] {
  const some = (found: readonly FoundServer[]) =>
    listSome(found.map(({ name, program }) => `${name} (${program})`));
  const open = servers.filter(({ isServed }) => !isServed);
  const [read, others] = [true, false].map((wanted) =>
    open.filter(({ isRead }) => isRead === wanted),
  ) as [FoundServer[], FoundServer[]];
  return [
    ...(others.length === 0
      ? []
      : [
          `"bulkhead web entries" cannot serve ${some(others)}: nothing limits the requests at once of its sites`,
        ]),
    ...(read.length === 0
      ? []
      : [
          `"bulkhead web entries" cannot serve ${some(read)}: only its own "maxConns" can limit the requests at once of each virtual host, and "bulkhead web status" names virtual hosts that allow more than the policy. The agent moves the server's programs into their tenants' cgroups, whose limits then apply; no program enters a jail`,
        ]),
  ];
}

export function lookRemarks(look: HostLook): readonly string[] {
  const remarks: string[] = [];
  remarks.push(...serverRemarks(look.webServers));
  for (const [origin, found] of Map.groupBy(look.php, (each) => each.origin)) {
    if (found.some(({ isServed }) => isServed)) continue;
    remarks.push(
      `"bulkhead web fpm" cannot serve PHP of ${origin} (${listSome(found.map(({ program }) => program))}): the agent moves its processes into their tenants' cgroups after they have started, and never into a jail`,
    );
  }
  remarks.push(...look.otherWriters.map(otherWriterText));
  if (look.cloudLinux.length > 0)
    remarks.push(
      `CloudLinux is here (${listSome(look.cloudLinux)}): its limits stay in force next to these until you disable them${hasVeCfg(look) ? '; the answer "ve.cfg" takes them over' : ''}`,
    );
  if (look.packagesOf !== null)
    remarks.push(
      `${look.packagesOf} has packages: the answer "panel-starter" or "panel-medium" takes over their limits, and follows the plans of accounts from then on`,
    );
  if (!look.hasSystemd)
    remarks.push(
      'systemd is not the init of this host: start "bulkhead agent" yourself, and PHP-FPM stays as it is',
    );
  return remarks;
}
