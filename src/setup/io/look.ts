/** Looks at a host: reads files and names only, and starts no program. */
import { existsSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import { readText } from '../../../packages/base/io/read.ts';
import { readHostFacts, readUidRange } from '../../host/accounts/accounts.ts';
import { administratorsOf } from '../../host/accounts/administrators.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import { findDatabases } from '../../host/databases/find.ts';
import { findOtherWriters } from '../../host/other-writers/other-writers.ts';
import { consoleAccount, type Paths } from '../../host/paths.ts';
import { veCfgPath, type HostLook } from '../core/look.ts';
import { findPhpBuilds, findWebServers, pathsOf } from '../../host/servers/find-servers.ts';

type Marks = readonly (readonly [name: string, ...paths: readonly string[]])[];

const panels: Marks = [
  ['cPanel', '/usr/local/cpanel/cpanel'],
  ['Plesk', '/usr/local/psa/version'],
  ['DirectAdmin', '/usr/local/directadmin/directadmin'],
  ['HestiaCP', '/usr/local/hestia/bin'],
  ['Virtualmin', '/etc/webmin/virtual-server', '/usr/share/webmin/virtual-server'],
  ['CyberPanel', '/usr/local/CyberCP'],
];

const databases: Marks = [
  ['MariaDB', '/usr/sbin/mariadbd', '/usr/libexec/mariadbd'],
  ['MySQL', '/usr/sbin/mysqld', '/usr/libexec/mysqld'],
  ['PostgreSQL', '/usr/lib/postgresql/*/bin/postgres', '/usr/bin/postgres'],
  ['Redis', '/usr/bin/redis-server', '/usr/bin/valkey-server'],
];

const cloudLinux = ['/proc/lve/list', veCfgPath, '/usr/sbin/lvectl'];

/** The number of accounts that a screen or a file needs. */
const accountsMax = 100_000;

interface LookOptions {
  /** The directory that holds the host's file system, `/` but for a fixture. */
  readonly root?: string;
  readonly packagesOf?: string | null;
}

export function lookAtHost(
  paths: Paths,
  policyFile: string,
  { root = '', packagesOf = null }: LookOptions = {},
): HostLook {
  const { accounts, uidMin } = readHostFacts(paths, []);
  const { last } = readUidRange(paths);
  const inRange = accounts.filter(({ uid }) => uid >= uidMin && uid <= last);
  const found = (marks: Marks) =>
    marks.filter(([, ...files]) => files.some((each) => isThere(root, each))).map(([name]) => name);
  const administrators = administratorsOf(paths);
  return {
    distribution: distributionOf(readText(`${root}/etc/os-release`) ?? ''),
    kernel: release(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    hasSystemd: runsSystemd(),
    hasConsole: accounts.some(({ user }) => user === consoleAccount),
    panels: found(panels),
    packagesOf,
    webServers: findWebServers(root),
    php: findPhpBuilds(root).map(({ php = null, program, origin, pools = null }) => ({
      program,
      origin,
      php,
      pools,
      isServed: php !== null,
    })),
    databases: found(databases),
    databaseSockets: socketsOf(paths),
    accounts: inRange.slice(0, accountsMax).map(({ user }) => user),
    administrators: administrators.filter((name) => inRange.some(({ user }) => user === name)),
    uids: `${uidMin}-${last}`,
    otherWriters: findOtherWriters(root),
    cloudLinux: cloudLinux.filter((each) => isThere(root, each)),
    hasPolicy: existsSync(policyFile),
  };
}

const socketsOf = (paths: Paths) =>
  findDatabases(paths)
    .filter(({ kind, at }) => kind === 'mysql' && existsSync(at))
    .map(({ at }) => at);

const isThere = (root: string, path: string) =>
  path.includes('*') ? pathsOf(root, path).length > 0 : existsSync(root + path);

/** Parses `PRETTY_NAME="Debian GNU/Linux 13 (trixie)"`. Source: os-release(5). */
export function distributionOf(text: string): string {
  const [, quoted, plain] = /^PRETTY_NAME=(?:"([^"]*)"|(\S*))$/m.exec(text) ?? [];
  return quoted ?? plain ?? 'unknown distribution';
}
