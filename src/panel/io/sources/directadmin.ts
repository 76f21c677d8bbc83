/**
 * DirectAdmin, from its own files, which belong to its account `diradmin`.
 *
 *     /usr/local/directadmin/data/users/USER/user.conf       package=gold, creator=admin, usertype=user, email=, quota=, inode=
 *     /usr/local/directadmin/data/users/USER/domains.list    a domain on each line
 *     /usr/local/directadmin/data/users/OWNER/packages/      packages of an administrator or reseller: NAME.pkg
 *     /usr/local/directadmin/data/admin/packages/            packages for resellers
 *
 * `quota` is in MiB; an empty limit of a cgroup means none. Source: docs.directadmin.com, "Configuration files",
 * "Directories and locations" and "User cgroups".
 */
import { parsePasswd } from '../../../host/accounts/accounts.ts';
import type { PinnedDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import {
  countOf,
  cpuPercent,
  mebibytes,
  memorySize,
  ratePerSecond,
  type LimitField,
} from '../../core/limit-fields.ts';
import type {
  PanelDomain,
  PanelPackage,
  PanelReseller,
  PanelRole,
  StatedAccount,
} from '../../core/panel-data.ts';
import { PanelFiles } from '../panel-files.ts';
import { given, limitsOf, listBytesMax, readPackages, readValues } from '../read-values.ts';
import type { PanelSource } from './source.ts';

const base = '/usr/local/directadmin';

const fields: readonly LimitField[] = [
  { key: 'quota', limit: 'disk.space', reading: mebibytes },
  { key: 'inode', limit: 'disk.files', reading: countOf },
  { key: 'CPUQuota', limit: 'cpu.limit', reading: cpuPercent },
  { key: 'MemoryHigh', limit: 'memory.soft', reading: memorySize },
  { key: 'MemoryMax', limit: 'memory.limit', reading: memorySize },
  { key: 'TasksMax', limit: 'processes.limit', reading: countOf },
  { key: 'IOReadBandwidthMax', limit: 'io.read', reading: ratePerSecond },
  { key: 'IOWriteBandwidthMax', limit: 'io.write', reading: ratePerSecond },
  { key: 'IOReadIOPSMax', limit: 'io.reads', reading: ratePerSecond },
  { key: 'IOWriteIOPSMax', limit: 'io.writes', reading: ratePerSecond },
];

/** Limits that DirectAdmin enforces itself. */
const own = [
  'bandwidth',
  'vdomains',
  'nsubdomains',
  'nemails',
  'email_daily_limit',
  'mysql',
  'ftp',
];

const packageForm = { form: 'plain', fields, own, ending: '.pkg' } as const;

const roles: Readonly<Record<string, PanelRole>> = { admin: 'administrator', reseller: 'reseller' };

export const directAdmin: PanelSource = {
  name: 'directadmin',
  panel: 'DirectAdmin',
  mark: `${base}/data/users`,
  read({ paths, root }) {
    const accounts = parsePasswd(readText(`${paths.etc}/passwd`) ?? '');
    const files = new PanelFiles(accounts.find(({ user }) => user === 'diradmin'));
    const packageLists: (readonly PanelPackage[])[] = [];
    const stated: StatedAccount[] = [];
    using directory = files.base(root + base);
    using data = directory && files.directory(directory, 'data');
    using users = data && files.directory(data, 'users');
    for (const user of users === undefined ? [] : files.names(users)) {
      using home = users && files.directory(users, user);
      const account = home && readUser(files, home, user);
      if (home === undefined || account === undefined) continue;
      stated.push(account);
      if (account.role === 'user') continue;
      using own = files.directory(home, 'packages', true);
      if (own !== undefined) packageLists.push(readPackages(files, own, packageForm, user));
    }
    using admin = data && files.directory(data, 'admin', true);
    using forResellers = admin && files.directory(admin, 'packages', true);
    if (forResellers !== undefined)
      packageLists.push(readPackages(files, forResellers, packageForm));
    const packages = packageLists.flat();
    // Those of the panel itself: an administrator has no other.
    const names = new Set(
      packages.filter(({ owner }) => owner === undefined).map(({ name }) => name),
    );
    return {
      panel: 'DirectAdmin',
      source: 'directadmin',
      from: base,
      accounts: stated.map((each) => withPackage(each, names)),
      packages,
      resellers: stated.flatMap(resellerOf),
      administrators: stated.flatMap((each) => (each.role === 'administrator' ? [each.user] : [])),
      problems: files.problems,
    };
  },
};

function readUser(
  files: PanelFiles,
  directory: PinnedDirectory,
  user: string,
): StatedAccount | undefined {
  const read = readValues(files, directory, 'user.conf', 'plain');
  if (read === undefined) return undefined;
  const { values, from } = read;
  const role = roles[values.get('usertype') ?? ''] ?? 'user';
  const name = values.get('package') ?? '';
  const owner = values.get('creator') ?? '';
  // "custom" and "none" are accounts without a package, which have limits of their own.
  const isNamed = !['', 'custom', 'none'].includes(name);
  return {
    user,
    from,
    role,
    domains: mainFirst(readDomains(files, directory), values.get('domain')),
    limits: limitsOf(files, read, fields),
    ...(isNamed ? { package: packageNameOf(name, owner, role) } : {}),
    ...given({ owner, mail: values.get('email') }),
  };
}

/** Users have a package of their creator, resellers and administrators one of those for resellers. */
const packageNameOf = (name: string, owner: string, role: PanelRole) =>
  role === 'user' && owner !== '' ? { name, owner } : { name };

/** Leaves out an administrator's package that does not exist: an administrator needs none. */
function withPackage(account: StatedAccount, packages: ReadonlySet<string>): StatedAccount {
  const { package: wanted, ...rest } = account;
  const exists = packages.has(wanted?.name ?? '');
  return account.role === 'administrator' && !exists ? rest : account;
}

const resellerOf = ({ user, role, from, mail }: StatedAccount): readonly PanelReseller[] =>
  role === 'reseller' ? [{ name: user, from, ...given({ mail }) }] : [];

const mainFirst = (domains: readonly PanelDomain[], main: string | undefined) =>
  domains.toSorted((a, b) => Number(b.name === main) - Number(a.name === main));

function readDomains(files: PanelFiles, directory: PinnedDirectory): readonly PanelDomain[] {
  const options = { bytesMax: listBytesMax, isOptional: true };
  const text = files.text(directory, 'domains.list', options) ?? '';
  const from = `${directory.path}/domains.list`;
  const names = text.split(/\s+/).filter((each) => each !== '');
  return names.map((name) => ({ name, from }));
}
