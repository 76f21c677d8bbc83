/** The facts that `setup` finds on a host before it changes anything, and the screen that shows it. */
import { count, listSome } from '../../../packages/base/list.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';

/** CloudLinux' limits. */
export const veCfgPath = '/etc/container/ve.cfg';

/** Whether the host has limits of CloudLinux to take over. */
export const hasVeCfg = ({ cloudLinux }: Pick<HostLook, 'cloudLinux'>): boolean =>
  cloudLinux.includes(veCfgPath);

export interface FoundPhp {
  /** The path of php-fpm. */
  readonly program: string;
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
  /** The names of control panels. */
  readonly panels: readonly string[];
  /** The names of web servers. */
  readonly webServers: readonly string[];
  /** Every php-fpm. */
  readonly php: readonly FoundPhp[];
  /** The names of database servers. */
  readonly databases: readonly string[];
  /** Accounts in the range of uids that belongs to people. */
  readonly accounts: readonly string[];
  /** Accounts among them that may become root. */
  readonly administrators: readonly string[];
  /** The range of uids of people, from /etc/login.defs. */
  readonly uids: string;
  /** Files of other programs that limit users' slices. */
  readonly otherWriters: readonly string[];
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
    ['Web', some(look.webServers)],
    ['PHP', some(look.php.map(({ program }) => program))],
    ['Database', some(look.databases)],
    ['Accounts', tenants.length === 0 ? 'none' : `${tenants.length}: ${listSome(tenants)}`],
  ];
}

export function lookRemarks(look: HostLook): readonly string[] {
  const remarks: string[] = [];
  const foreign = look.php.filter(({ isServed }) => !isServed).map(({ program }) => program);
  if (foreign.length > 0)
    remarks.push(
      `"bulkhead web fpm" does not serve ${listSome(foreign)}: the agent moves their processes after they have started`,
    );
  if (look.otherWriters.length > 0)
    remarks.push(
      `Something else limits users: ${listSome(look.otherWriters)}; disable that, since two programs cannot both set these limits`,
    );
  if (look.cloudLinux.length > 0)
    remarks.push(
      `CloudLinux is here (${listSome(look.cloudLinux)}): its limits stay in force next to these until you disable them${hasVeCfg(look) ? '; the answer "ve.cfg" takes them over' : ''}`,
    );
  if (!look.hasSystemd)
    remarks.push(
      'systemd is not the init of this host: start "bulkhead agent" yourself, and PHP-FPM stays as it is',
    );
  return remarks;
}
