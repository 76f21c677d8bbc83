/**
 * cPanel, from its own files, which belong to root.
 *
 *     /var/cpanel/users/USER       PLAN=gold, OWNER=root, DNS=a.example, DNS1=b.example, CONTACTEMAIL=, DISK_BLOCK_LIMIT= (KiB)
 *     /var/cpanel/packages/NAME    QUOTA= (MiB, 0 or "unlimited": none), MAXSQL=, MAXPOP=, …
 *     /var/cpanel/databases/USER.json   the user's databases and their accounts
 *     /var/cpanel/resellers        RESELLER:privilege,privilege
 *
 * Source: the documents of WHM's hosting plans, and tools that read these files.
 */
import type { PinnedDirectory } from '../../../../packages/base/io/pinned-directory.ts';
import { parseDatabaseMap } from '../../core/cpanel-databases.ts';
import {
  countOf,
  kibibytes,
  mebibytes,
  wrongIn,
  zeroIsUnlimited,
  type LimitField,
} from '../../core/limit-fields.ts';
import type { PanelReseller, StatedAccount, StatedDatabases } from '../../core/panel-data.ts';
import { PanelFiles } from '../panel-files.ts';
import { given, limitsOf, listBytesMax, readPackages, readValues } from '../read-values.ts';
import type { PanelSource } from './source.ts';

const base = '/var/cpanel';

const packageFields: readonly LimitField[] = [
  { key: 'QUOTA', limit: 'disk.space', reading: zeroIsUnlimited(mebibytes) },
];

const accountFields: readonly LimitField[] = [
  { key: 'DISK_BLOCK_LIMIT', limit: 'disk.space', reading: zeroIsUnlimited(kibibytes) },
  { key: 'DISK_INODE_LIMIT', limit: 'disk.files', reading: zeroIsUnlimited(countOf) },
];

/** Limits that cPanel enforces itself, and those that CloudLinux keeps there. */
const own = [
  'BWLIMIT',
  'MAXADDON',
  'MAXSUB',
  'MAXPARK',
  'MAXPOP',
  'MAXLST',
  'MAXSQL',
  'MAXFTP',
  'MAX_EMAIL_PER_HOUR',
  'MAX_EMAILACCT_QUOTA',
  'lve_speed',
  'lve_pmem',
  'lve_nproc',
  'lve_io',
  'lve_iops',
  'lve_ep',
];

const packageForm = {
  form: 'plain',
  fields: packageFields,
  own,
  ending: '',
  skip: 'extensions',
} as const;

/** Names in the directory that are no accounts of customers. */
const noAccounts: ReadonlySet<string> = new Set(['system', 'root', 'nobody']);

/** The package of accounts without one; it has a file only if somebody saved it. */
const builtIn = 'default';

export const cPanel: PanelSource = {
  name: 'cpanel',
  panel: 'cPanel',
  mark: `${base}/users`,
  read({ root }) {
    const files = new PanelFiles();
    using directory = files.base(root + base);
    using users = directory && files.directory(directory, 'users');
    using plans = directory && files.directory(directory, 'packages', true);
    using databases = directory && files.directory(directory, 'databases', true);
    const packages = plans === undefined ? [] : readPackages(files, plans, packageForm);
    const resellers = directory === undefined ? [] : readResellers(files, directory);
    const isReseller = new Set(resellers.map(({ name }) => name));
    const hasDefault = packages.some(({ name }) => name === builtIn);
    const names = users === undefined ? [] : files.names(users);
    return {
      panel: 'cPanel',
      source: 'cpanel',
      from: base,
      accounts: names.flatMap((user) =>
        users === undefined || noAccounts.has(user)
          ? []
          : readUser(files, users, user, { isReseller, hasDefault }).map((each) => ({
              ...each,
              ...databasesOf(files, databases, user),
            })),
      ),
      packages,
      resellers,
      administrators: [],
      problems: files.problems,
    };
  },
};

function readUser(
  files: PanelFiles,
  directory: PinnedDirectory,
  user: string,
  {
    isReseller,
    hasDefault,
  }: { readonly isReseller: ReadonlySet<string>; readonly hasDefault: boolean },
): readonly StatedAccount[] {
  const read = readValues(files, directory, user, 'plain');
  if (read === undefined) return [];
  const { values, from } = read;
  const plan = values.get('PLAN') ?? '';
  const hasPlan = plan !== '' && plan !== 'undefined' && (plan !== builtIn || hasDefault);
  const domains = [...values].filter(([key, name]) => /^DNS\d*$/.test(key) && name !== '');
  return [
    {
      user,
      from,
      role: isReseller.has(user) ? 'reseller' : 'user',
      domains: domains.map(([, name]) => ({ name, from })),
      limits: limitsOf(files, read, accountFields),
      ...(hasPlan ? { package: { name: plan } } : {}),
      ...given({ owner: values.get('OWNER'), mail: values.get('CONTACTEMAIL') }),
    },
  ];
}

function databasesOf(
  files: PanelFiles,
  directory: PinnedDirectory | undefined,
  user: string,
): StatedDatabases {
  const name = `${user}.json`;
  const options = { bytesMax: listBytesMax, isOptional: true };
  const text = directory && files.text(directory, name, options);
  if (directory === undefined || text === undefined) return {};
  const databases = parseDatabaseMap(text);
  if (databases !== undefined) return databases;
  files.add(wrongIn(`${directory.path}/${name}`, { reason: 'it is not a map of databases' }));
  return {};
}

function readResellers(files: PanelFiles, directory: PinnedDirectory): readonly PanelReseller[] {
  const options = { bytesMax: listBytesMax, isOptional: true };
  const text = files.text(directory, 'resellers', options) ?? '';
  const from = `${directory.path}/resellers`;
  const names = text.split('\n').map((line) => line.split(':')[0]?.trim() ?? '');
  return names.filter((name) => name !== '').map((name) => ({ name, from }));
}
