/**
 * HestiaCP, from its own files. They belong to root, and the group root may write most of them.
 *
 *     /usr/local/hestia/data/users/USER/user.conf    PACKAGE='default', CONTACT='a@b.example', ROLE='user', DISK_QUOTA='10240'
 *     /usr/local/hestia/data/users/USER/web.conf     a line for each domain: DOMAIN='a.example' … ALIAS='www.a.example'
 *     /usr/local/hestia/data/users/USER/db.conf      a line for each database: DB='ann_wp' DBUSER='ann_wp' … TYPE='mysql'
 *     /usr/local/hestia/data/packages/NAME.pkg       DISK_QUOTA='10240' (MiB), CPU_QUOTA='20%', MEMORY_LIMIT='500M'
 *
 * Source: v-add-user, v-add-database, v-add-user-package, v-update-user-quota and v-update-user-cgroup of HestiaCP 1.9.
 */
import {
  cpuPercent,
  mebibytes,
  memorySize,
  wrongIn,
  type LimitField,
} from '../../core/limit-fields.ts';
import { parseAttributes } from '../../core/key-values.ts';
import type { PanelDomain, StatedAccount, StatedDatabases } from '../../core/panel-data.ts';
import type { PinnedDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { PanelFiles } from '../panel-files.ts';
import { given, limitsOf, listBytesMax, readPackages, readValues } from '../read-values.ts';
import type { PanelSource } from './source.ts';

const base = '/usr/local/hestia';

/** HestiaCP sets its memory limit as MemoryHigh. The policy's limit is the nearest that bounds memory. */
const fields: readonly LimitField[] = [
  { key: 'DISK_QUOTA', limit: 'disk.space', reading: mebibytes },
  { key: 'CPU_QUOTA', limit: 'cpu.limit', reading: cpuPercent },
  { key: 'MEMORY_LIMIT', limit: 'memory.limit', reading: memorySize },
  { key: 'SWAP_LIMIT', limit: 'memory.swap', reading: memorySize },
];

/** Limits that HestiaCP enforces itself. */
const own = [
  'WEB_DOMAINS',
  'WEB_ALIASES',
  'MAIL_DOMAINS',
  'MAIL_ACCOUNTS',
  'RATE_LIMIT',
  'DATABASES',
  'DNS_DOMAINS',
  'CRON_JOBS',
  'BACKUPS',
  'BANDWIDTH',
  'CPU_QUOTA_PERIOD',
];

const packageForm = { form: 'quoted', fields, own, ending: '.pkg' } as const;

export const hestia: PanelSource = {
  name: 'hestia',
  panel: 'HestiaCP',
  mark: `${base}/data/users`,
  read({ root }) {
    const files = new PanelFiles();
    const found = {
      panel: 'HestiaCP',
      source: 'hestia',
      from: base,
      administrators: [],
      resellers: [],
    } as const;
    using directory = files.base(root + base);
    using data = directory && files.directory(directory, 'data');
    using users = data && files.directory(data, 'users');
    using packages = data && files.directory(data, 'packages');
    return {
      ...found,
      accounts: users === undefined ? [] : readUsers(files, users),
      packages: packages === undefined ? [] : readPackages(files, packages, packageForm),
      problems: files.problems,
    };
  },
};

function readUsers(files: PanelFiles, users: PinnedDirectory): readonly StatedAccount[] {
  return files.names(users).flatMap((user) => {
    using directory = files.directory(users, user);
    return directory === undefined ? [] : (readUser(files, directory, user) ?? []);
  });
}

function readUser(
  files: PanelFiles,
  directory: PinnedDirectory,
  user: string,
): StatedAccount | undefined {
  const read = readValues(files, directory, 'user.conf', 'quoted');
  if (read === undefined) return undefined;
  const { values, from } = read;
  const name = values.get('PACKAGE') ?? '';
  return {
    user,
    from,
    role: values.get('ROLE') === 'admin' ? 'administrator' : 'user',
    domains: readDomains(files, directory),
    ...readDatabases(files, directory),
    limits: limitsOf(files, read, fields),
    ...(name === '' ? {} : { package: { name } }),
    ...given({ mail: values.get('CONTACT') }),
  };
}

function readDomains(files: PanelFiles, directory: PinnedDirectory): readonly PanelDomain[] {
  const lines = readLines(files, directory, 'web.conf', 'DOMAIN') ?? [];
  const names = lines.flatMap((each) => {
    const aliases = (each.get('ALIAS') ?? '').split(/[\s,]+/);
    return [each.get('DOMAIN') ?? '', ...aliases].filter((name) => name !== '');
  });
  const from = `${directory.path}/web.conf`;
  return names.map((name) => ({ name, from }));
}

function readDatabases(files: PanelFiles, directory: PinnedDirectory): StatedDatabases {
  const lines = readLines(files, directory, 'db.conf', 'DBUSER');
  if (lines === undefined) return {};
  const ofPostgresql = (each: ReadonlyMap<string, string>) => each.get('TYPE') === 'pgsql';
  const namesIn = (some: typeof lines) =>
    some.map((each) => each.get('DBUSER') ?? '').filter((name) => name !== '');
  return {
    databaseAccounts: namesIn(lines.filter((each) => !ofPostgresql(each))),
    postgresqlAccounts: namesIn(lines.filter(ofPostgresql)),
  };
}

/** Returns the lines of a list, and reports the first one that lacks the key; undefined if there is no list. */
function readLines(
  files: PanelFiles,
  directory: PinnedDirectory,
  name: string,
  key: string,
): readonly ReadonlyMap<string, string>[] | undefined {
  const text = files.text(directory, name, { bytesMax: listBytesMax, isOptional: true });
  const lines = text
    ?.split('\n')
    .map((line) => (line.trim() === '' ? undefined : parseAttributes(line)));
  const wrong = lines?.findIndex((each) => each?.has(key) === false) ?? -1;
  const from = `${directory.path}/${name}`;
  if (wrong !== -1) files.add(wrongIn(from, { reason: `line ${wrong + 1} names no ${key}` }));
  return lines?.flatMap((each) => each ?? []);
}
